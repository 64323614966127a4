#include "datasets/metrics/regions.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "datasets/metrics/outlines.hpp"
#include "datasets/metrics/resamples.hpp"
#include "modules/core/error.hpp"

namespace fovea {
namespace {

constexpr std::size_t kSteps = 65536;
constexpr int kBins = 15;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double share(double part, double whole) { return whole > 0 ? part / whole : 1; }

std::size_t step_of(float p) { return static_cast<std::size_t>(std::lround(static_cast<double>(p) * (kSteps - 1))); }

using Counts = std::vector<std::uint32_t>;

double total(const Counts& c) { return std::accumulate(c.begin(), c.end(), 0.0); }

// The share of pairs, one with the class and one without, in which the first has the larger probability; equal ones count half.
double roc_auc(const Counts& right, const Counts& wrong) {
  double below = 0, pairs = 0;
  for (std::size_t i = 0; i < kSteps; ++i) {
    pairs += right[i] * (below + 0.5 * wrong[i]);
    below += wrong[i];
  }
  const double all = total(right) * below;
  return all > 0 ? pairs / all : kNone;
}

// Average precision: the precision at each recall, the highest probabilities first.
double pr_auc(const Counts& right, const Counts& wrong) {
  const double all = total(right);
  double found = 0, false_ones = 0, sum = 0;
  for (std::size_t i = kSteps; i-- > 0;) {
    found += right[i], false_ones += wrong[i];
    if (right[i] > 0) sum += right[i] * found / (found + false_ones);
  }
  return all > 0 ? sum / all : kNone;
}

void best_threshold(const Counts& right, const Counts& wrong, RegionScores& s) {
  const double all = total(right);
  double found = 0, false_ones = 0;
  for (std::size_t i = kSteps; i-- > 1;) {
    found += right[i], false_ones += wrong[i];
    const double dice = share(2 * found, all + found + false_ones);
    if (dice > s.best_dice) s.best_dice = dice, s.best_threshold = (static_cast<double>(i) - 0.5) / (kSteps - 1);
  }
}

double calibration_error(const Counts& right, const Counts& wrong) {
  std::array<double, kBins> pixels{}, said{}, true_{};
  for (std::size_t i = 0; i < kSteps; ++i) {
    const double p = static_cast<double>(i) / (kSteps - 1), n = static_cast<double>(right[i]) + wrong[i];
    const auto bin = std::min<std::size_t>(static_cast<std::size_t>(p * kBins), kBins - 1);
    pixels[bin] += n, said[bin] += n * p, true_[bin] += right[i];
  }
  const double all = std::accumulate(pixels.begin(), pixels.end(), 0.0);
  double error = 0;
  for (std::size_t b = 0; b < kBins; ++b) error += std::abs(said[b] - true_[b]);
  return all > 0 ? error / all : 0;
}

// Mean and pooled Dice of pictures that are drawn with replacement.
void add_intervals(const std::vector<Confusion>& pictures, RegionScores& s) {
  std::vector<double> means, pooled;
  for_each_resample(pictures.size(), [&](const std::vector<std::size_t>& drawn) {
    Confusion sum;
    double mean = 0;
    for (const std::size_t i : drawn) sum += pictures[i], mean += pictures[i].dice() / static_cast<double>(pictures.size());
    means.push_back(mean), pooled.push_back(sum.dice());
  });
  s.dice_interval = resampled_interval(std::move(means)), s.pooled_dice_interval = resampled_interval(std::move(pooled));
}

void add_pictures(const std::vector<Confusion>& pictures, RegionScores& s) {
  const auto n = static_cast<double>(pictures.size());
  for (const Confusion& c : pictures) s.pooled += c, s.dice += c.dice() / n, s.iou += c.iou() / n;
  for (const Confusion& c : pictures) s.dice_spread += std::pow(c.dice() - s.dice, 2);
  s.dice_spread = pictures.size() > 1 ? std::sqrt(s.dice_spread / (n - 1)) : 0;
  add_intervals(pictures, s);
}

}  // namespace

Confusion& Confusion::operator+=(const Confusion& o) {
  both += o.both, only_found += o.only_found, only_true += o.only_true, neither += o.neither;
  return *this;
}
double Confusion::dice() const { return share(2 * both, 2 * both + only_found + only_true); }
double Confusion::iou() const { return share(both, both + only_found + only_true); }
double Confusion::sensitivity() const { return share(both, both + only_true); }
double Confusion::specificity() const { return share(neither, neither + only_found); }
double Confusion::precision() const { return share(both, both + only_found); }

RegionMetrics::RegionMetrics(std::vector<std::string> classes, std::vector<double> thresholds, bool outlines)
    : outlines_(outlines) {
  check(!classes.empty() && classes.size() == thresholds.size(), "regions: expected a threshold for each of ", classes.size(),
        " classes, got ", thresholds.size());
  for (std::size_t c = 0; c < classes.size(); ++c)
    classes_.push_back({std::move(classes[c]), thresholds[c], {}, Counts(kSteps), Counts(kSteps), {}});
}

void RegionMetrics::add(const std::vector<cv::Mat>& probabilities, const std::vector<cv::Mat>& truth, const cv::Mat& where,
                        std::optional<std::array<double, 2>> spacing) {
  check(probabilities.size() == classes_.size() && truth.size() == classes_.size(), "regions: expected maps of ", classes_.size(),
        " classes, got ", probabilities.size(), " and ", truth.size());
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    PerClass& k = classes_[c];
    const cv::Mat &p = probabilities[c], &t = truth[c];
    check(p.type() == CV_32F && t.type() == CV_8U && p.size() == t.size() && (where.empty() || where.size() == p.size()),
          "regions: expected probabilities and truth of one size");
    Confusion counts;
    cv::Mat found = cv::Mat::zeros(p.size(), CV_8U), true_ = cv::Mat::zeros(p.size(), CV_8U);
    for (int y = 0; y < p.rows; ++y)
      for (int x = 0; x < p.cols; ++x) {
        if (!where.empty() && where.at<std::uint8_t>(y, x) == 0) continue;
        const float v = std::clamp(p.at<float>(y, x), 0.0f, 1.0f);
        const bool is = t.at<std::uint8_t>(y, x) != 0, said = static_cast<double>(v) >= k.threshold;
        ++(is ? k.right : k.wrong)[step_of(v)];
        (is ? said ? counts.both : counts.only_true : said ? counts.only_found : counts.neither) += 1;
        found.at<std::uint8_t>(y, x) = said, true_.at<std::uint8_t>(y, x) = is;
      }
    k.pictures.push_back(counts);
    if (!outlines_) continue;
    const auto mm = spacing.value_or(std::array<double, 2>{1, 1});
    if (const auto d = outline_distances({found}, {true_}, {1, mm[0], mm[1]})) k.distances.push_back({d->hd95, d->mean});
  }
  in_mm_ = in_mm_ && spacing.has_value();
  ++pictures_;
}

std::vector<RegionScores> RegionMetrics::scores() const {
  std::vector<RegionScores> all;
  for (const PerClass& k : classes_) {
    RegionScores s;
    s.name = k.name, s.pictures = pictures_, s.in_mm = in_mm_;
    if (pictures_ > 0) add_pictures(k.pictures, s);
    s.roc_auc = roc_auc(k.right, k.wrong), s.pr_auc = pr_auc(k.right, k.wrong);
    s.ece = calibration_error(k.right, k.wrong);
    best_threshold(k.right, k.wrong, s);
    s.outlines = static_cast<int>(k.distances.size());
    for (const auto& d : k.distances) s.hd95 += d[0] / s.outlines, s.mean_distance += d[1] / s.outlines;
    all.push_back(std::move(s));
  }
  return all;
}

double RegionMetrics::mean_dice() const {
  double sum = 0;
  for (const PerClass& k : classes_)
    for (const Confusion& c : k.pictures) sum += c.dice();
  return pictures_ > 0 ? sum / (pictures_ * static_cast<double>(classes_.size())) : 0;
}

nlohmann::ordered_json json_of(const RegionScores& s) {
  const auto number = [](double v) { return std::isfinite(v) ? nlohmann::ordered_json(v) : nlohmann::ordered_json(nullptr); };
  nlohmann::ordered_json json{{"class", s.name},
                              {"pictures", s.pictures},
                              {"dice", s.dice},
                              {"dice_interval", s.dice_interval},
                              {"dice_spread", s.dice_spread},
                              {"iou", s.iou},
                              {"pooled_dice", s.pooled.dice()},
                              {"pooled_dice_interval", s.pooled_dice_interval},
                              {"pooled_iou", s.pooled.iou()},
                              {"sensitivity", s.pooled.sensitivity()},
                              {"specificity", s.pooled.specificity()},
                              {"precision", s.pooled.precision()},
                              {"roc_auc", number(s.roc_auc)},
                              {"pr_auc", number(s.pr_auc)},
                              {"ece", s.ece},
                              {"best_threshold", s.best_threshold},
                              {"best_pooled_dice", s.best_dice}};
  if (s.outlines > 0) {
    json["outlines"] = s.outlines;
    json[s.in_mm ? "hd95_mm" : "hd95_px"] = s.hd95;
    json[s.in_mm ? "mean_distance_mm" : "mean_distance_px"] = s.mean_distance;
  }
  return json;
}

}  // namespace fovea
