#include "datasets/metrics/regions.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "datasets/metrics/objects.hpp"
#include "datasets/metrics/outlines.hpp"
#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

struct Sample {
  cv::Mat probability, truth;
};

// Probabilities that tend to agree with a blob, on a grid that 65536 steps hold.
Sample sample(int rows, int columns, std::uint64_t seed) {
  Random random(seed);
  Sample s{cv::Mat(rows, columns, CV_32F), cv::Mat(rows, columns, CV_8U)};
  for (int y = 0; y < rows; ++y)
    for (int x = 0; x < columns; ++x) {
      const bool is = std::hypot(x - columns / 2.0, y - rows / 3.0) < rows / 3.0;
      s.truth.at<std::uint8_t>(y, x) = is ? 255 : 0;
      const double p = std::clamp((is ? 0.65 : 0.35) + 0.25 * random.normal(), 0.0, 1.0);
      s.probability.at<float>(y, x) = static_cast<float>(std::round(p * 200) / 200);
    }
  return s;
}

// All pixels of some samples as (probability, truth), by falling probability.
std::vector<std::pair<double, bool>> ranked(const std::vector<Sample>& samples) {
  std::vector<std::pair<double, bool>> all;
  for (const Sample& s : samples)
    for (int y = 0; y < s.truth.rows; ++y)
      for (int x = 0; x < s.truth.cols; ++x) all.emplace_back(s.probability.at<float>(y, x), s.truth.at<std::uint8_t>(y, x) != 0);
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  return all;
}

// The Mann-Whitney statistic, pair by pair of values.
double auc_by_pairs(const std::vector<std::pair<double, bool>>& all) {
  double wins = 0, pairs = 0;
  for (const auto& [p, is] : all)
    if (is)
      for (const auto& [q, other] : all)
        if (!other) wins += p > q ? 1 : p == q ? 0.5 : 0, ++pairs;
  return wins / pairs;
}

double average_precision(const std::vector<std::pair<double, bool>>& all) {
  const double positives = static_cast<double>(std::count_if(all.begin(), all.end(), [](const auto& a) { return a.second; }));
  double found = 0, seen = 0, area = 0;
  for (std::size_t i = 0; i < all.size();) {
    double right = 0;
    std::size_t end = i;
    for (; end < all.size() && all[end].first == all[i].first; ++end) right += all[end].second, ++seen;
    found += right;
    area += right / positives * found / seen;
    i = end;
  }
  return area;
}

double nearest(const cv::Mat& from, int y, int x, const cv::Mat& to, double sy, double sx) {
  double best = INFINITY;
  for (int v = 0; v < to.rows; ++v)
    for (int u = 0; u < to.cols; ++u)
      if (to.at<std::uint8_t>(v, u)) best = std::min(best, std::hypot((v - y) * sy, (u - x) * sx));
  return from.empty() ? 0 : best;
}

cv::Mat edge_of(const cv::Mat& m) {
  cv::Mat out = cv::Mat::zeros(m.size(), CV_8U);
  const auto in = [&](int y, int x) { return y >= 0 && x >= 0 && y < m.rows && x < m.cols && m.at<std::uint8_t>(y, x); };
  for (int y = 0; y < m.rows; ++y)
    for (int x = 0; x < m.cols; ++x)
      out.at<std::uint8_t>(y, x) = in(y, x) && !(in(y - 1, x) && in(y + 1, x) && in(y, x - 1) && in(y, x + 1));
  return out;
}

}  // namespace

TEST_CASE("region metrics equal their definitions") {
  const std::vector<Sample> samples{sample(30, 41, 1), sample(25, 33, 2), sample(40, 28, 3)};
  RegionMetrics m({"blob"}, {0.5});
  for (const Sample& s : samples) m.add({s.probability}, {s.truth});
  const RegionScores scores = m.scores().front();
  const auto all = ranked(samples);

  double both = 0, found = 0, real = 0, n = 0, mean = 0;
  for (const Sample& s : samples) {
    double b = 0, f = 0, r = 0;
    for (int y = 0; y < s.truth.rows; ++y)
      for (int x = 0; x < s.truth.cols; ++x) {
        const bool is = s.truth.at<std::uint8_t>(y, x) != 0, said = s.probability.at<float>(y, x) >= 0.5f;
        b += is && said, f += said, r += is, ++n;
      }
    both += b, found += f, real += r, mean += 2 * b / (f + r) / 3;
  }
  CHECK(scores.pooled.dice() == Approx(2 * both / (found + real)).epsilon(1e-12));
  CHECK(scores.dice == Approx(mean).epsilon(1e-12));
  CHECK(scores.pooled.sensitivity() == Approx(both / real));
  CHECK(scores.pooled.precision() == Approx(both / found));
  CHECK(scores.pooled.specificity() == Approx((n - found - real + both) / (n - real)));
  CHECK(scores.roc_auc == Approx(auc_by_pairs(all)).epsilon(1e-9));
  CHECK(scores.pr_auc == Approx(average_precision(all)).epsilon(1e-9));

  double best = 0;
  for (int k = 1; k <= 200; ++k) {
    double b = 0, f = 0;
    for (const auto& [p, is] : all) f += p >= k / 200.0 - 1e-6, b += is && p >= k / 200.0 - 1e-6;
    best = std::max(best, 2 * b / (f + real));
  }
  CHECK(scores.best_dice == Approx(best));
  RegionMetrics again({"blob"}, {scores.best_threshold});
  for (const Sample& s : samples) again.add({s.probability}, {s.truth});
  CHECK(again.scores().front().pooled.dice() == Approx(best));  // the threshold gives what it promises

  double ece = 0;
  for (int bin = 0; bin < 15; ++bin) {
    double said = 0, is = 0;
    for (const auto& [p, t] : all)
      if (std::min(14, static_cast<int>(std::round(p * 65535) / 65535 * 15)) == bin) said += p, is += t;
    ece += std::abs(said - is) / n;
  }
  CHECK(scores.ece == Approx(ece).margin(1e-5));
  CHECK(scores.dice_interval[0] <= scores.dice);
  CHECK(scores.dice_interval[1] >= scores.dice);
}

TEST_CASE("region metrics: only what counts, and what is nowhere") {
  const Sample s = sample(30, 41, 9);
  cv::Mat where = cv::Mat::zeros(s.truth.size(), CV_8U);
  where(cv::Rect(5, 5, 20, 20)).setTo(255);
  RegionMetrics part({"blob"}, {0.5}), cut({"blob"}, {0.5});
  part.add({s.probability}, {s.truth}, where);
  cut.add({s.probability(cv::Rect(5, 5, 20, 20)).clone()}, {s.truth(cv::Rect(5, 5, 20, 20)).clone()});
  CHECK(part.scores()[0].pooled.dice() == cut.scores()[0].pooled.dice());
  CHECK(part.scores()[0].roc_auc == cut.scores()[0].roc_auc);
  RegionMetrics none({"nothing"}, {0.5});
  none.add({cv::Mat::zeros(4, 4, CV_32F)}, {cv::Mat::zeros(4, 4, CV_8U)});
  CHECK(none.scores()[0].dice == 1);
  CHECK(std::isnan(none.scores()[0].roc_auc));
  CHECK(json_of(none.scores()[0]).at("roc_auc").is_null());
  CHECK(fails_with([&] { none.add({cv::Mat::zeros(4, 4, CV_32F)}, {}); }, "expected maps of 1 classes"));
}

TEST_CASE("distances between outlines equal a search over all pairs") {
  const cv::Mat a = sample(23, 31, 4).truth, b = cv::Mat(sample(23, 31, 5).probability > 0.55f);
  const double sy = 0.7, sx = 1.3;
  const auto got = outline_distances({a}, {b}, {1, sy, sx});
  REQUIRE(got);
  const cv::Mat ea = edge_of(a), eb = edge_of(b);
  std::vector<double> there, back;
  for (int y = 0; y < a.rows; ++y)
    for (int x = 0; x < a.cols; ++x) {
      if (ea.at<std::uint8_t>(y, x)) there.push_back(nearest(ea, y, x, eb, sy, sx));
      if (eb.at<std::uint8_t>(y, x)) back.push_back(nearest(eb, y, x, ea, sy, sx));
    }
  const auto percentile = [](std::vector<double> v) {
    std::sort(v.begin(), v.end());
    const double at = 0.95 * static_cast<double>(v.size() - 1);
    const auto i = static_cast<std::size_t>(at);
    return v[i] + (at - static_cast<double>(i)) * (v[std::min(i + 1, v.size() - 1)] - v[i]);
  };
  CHECK(got->hd95 == Approx(std::max(percentile(there), percentile(back))).epsilon(1e-12));
  const double sum = std::accumulate(there.begin(), there.end(), 0.0) + std::accumulate(back.begin(), back.end(), 0.0);
  CHECK(got->mean == Approx(sum / static_cast<double>(there.size() + back.size())).epsilon(1e-12));
  CHECK_FALSE(outline_distances({a}, {cv::Mat::zeros(a.size(), CV_8U)}, {1, 1, 1}));
  // In space: two single voxels.
  std::vector<cv::Mat> one(4), two(4);
  for (cv::Mat& m : one) m = cv::Mat::zeros(5, 6, CV_8U);
  for (cv::Mat& m : two) m = cv::Mat::zeros(5, 6, CV_8U);
  one[0].at<std::uint8_t>(1, 1) = two[3].at<std::uint8_t>(4, 5) = 1;
  CHECK(outline_distances(one, two, {2.5, 0.5, 0.25})->hd95 == Approx(std::sqrt(7.5 * 7.5 + 1.5 * 1.5 + 1)));
}

TEST_CASE("object metrics by hand") {
  cv::Mat truth = cv::Mat::zeros(10, 20, CV_32S), found = truth.clone();
  truth(cv::Rect(0, 0, 4, 4)).setTo(1), found(cv::Rect(0, 0, 4, 4)).setTo(7);    // whole: IoU 1
  truth(cv::Rect(6, 0, 4, 4)).setTo(2), found(cv::Rect(6, 0, 4, 3)).setTo(3);    // 12 of 16: IoU 0.75
  truth(cv::Rect(12, 0, 4, 4)).setTo(3), found(cv::Rect(12, 0, 4, 2)).setTo(9);  // 8 of 16: 0.5 is not above 0.5
  truth(cv::Rect(0, 6, 3, 3)).setTo(4);                                          // missed
  found(cv::Rect(10, 6, 3, 3)).setTo(2);                                         // invented
  ObjectMetrics m;
  m.add(found, truth);
  CHECK(m.at(0).both == 2);
  CHECK(m.at(0).only_found == 2);
  CHECK(m.at(0).only_true == 2);
  CHECK(m.at(0).f1() == Approx(0.5));
  CHECK(m.at(0).ap() == Approx(2.0 / 6));
  CHECK(m.at(5).both == 1);  // above 0.75: 0.75 is not
  // 0.5 to 0.7: two pairs, from 0.75 on one.
  CHECK(m.mean_ap() == Approx((5 * 2.0 / 6 + 5 * 1.0 / 7) / 10));
  CHECK(m.panoptic_quality() == Approx(1.75 / 4));
  ObjectMetrics none;
  none.add(cv::Mat::zeros(3, 3, CV_32S), cv::Mat::zeros(3, 3, CV_32S));
  CHECK(none.at(0).f1() == 1);
  CHECK(none.panoptic_quality() == 1);
}
