#include "datasets/metrics/objects.hpp"

#include <map>

#include "datasets/metrics/resamples.hpp"
#include "modules/core/error.hpp"

namespace fovea {
namespace {

struct Overlaps {
  std::map<int, double> found, truth;  // areas
  std::map<std::pair<int, int>, double> both;
};

Overlaps overlaps_of(const cv::Mat& found, const cv::Mat& truth) {
  Overlaps o;
  for (int y = 0; y < found.rows; ++y)
    for (int x = 0; x < found.cols; ++x) {
      const int a = found.at<int>(y, x), b = truth.at<int>(y, x);
      if (a != 0) ++o.found[a];
      if (b != 0) ++o.truth[b];
      if (a != 0 && b != 0) ++o.both[{a, b}];
    }
  return o;
}

// Of all pairs above 0.5.
std::vector<double> pair_overlaps(const Overlaps& o) {
  std::vector<double> ious;
  for (const auto& [ids, area] : o.both) {
    const double iou = area / (o.found.at(ids.first) + o.truth.at(ids.second) - area);
    if (iou > 0.5) ious.push_back(iou);
  }
  return ious;
}

ObjectCounts counts_at(const std::vector<double>& ious, const Overlaps& o, double threshold) {
  ObjectCounts c;
  for (const double iou : ious)
    if (iou > threshold) ++c.both, c.iou += iou;
  c.only_found = static_cast<double>(o.found.size()) - c.both;
  c.only_true = static_cast<double>(o.truth.size()) - c.both;
  return c;
}

void operator+=(ObjectCounts& a, const ObjectCounts& b) {
  a.both += b.both, a.only_found += b.only_found, a.only_true += b.only_true, a.iou += b.iou;
}

double threshold_at(int i) { return 0.5 + 0.05 * i; }

}  // namespace

double ObjectCounts::f1() const {
  const double all = 2 * both + only_found + only_true;
  return all > 0 ? 2 * both / all : 1;
}
double ObjectCounts::ap() const {
  const double all = both + only_found + only_true;
  return all > 0 ? both / all : 1;
}

void ObjectMetrics::add(const cv::Mat& found, const cv::Mat& truth) {
  check(found.type() == CV_32S && truth.type() == CV_32S && found.size() == truth.size(),
        "objects: expected two maps of numbers (32 bits) of one size");
  const Overlaps o = overlaps_of(found, truth);
  const std::vector<double> ious = pair_overlaps(o);
  for (int i = 0; i < kThresholds; ++i) pooled_[static_cast<std::size_t>(i)] += counts_at(ious, o, threshold_at(i));
  pictures_.push_back(counts_at(ious, o, 0.5));
}

double ObjectMetrics::mean_ap() const {
  double sum = 0;
  for (const ObjectCounts& c : pooled_) sum += c.ap() / kThresholds;
  return sum;
}

double ObjectMetrics::panoptic_quality() const {
  const ObjectCounts& c = pooled_[0];
  const double all = c.both + 0.5 * (c.only_found + c.only_true);
  return all > 0 ? c.iou / all : 1;
}

std::array<double, 2> ObjectMetrics::f1_interval() const {
  if (pictures_.empty()) return {0, 0};
  std::vector<double> values;
  for_each_resample(pictures_.size(), [&](const std::vector<std::size_t>& drawn) {
    ObjectCounts sum;
    for (const std::size_t i : drawn) sum += pictures_[i];
    values.push_back(sum.f1());
  });
  return resampled_interval(std::move(values));
}

nlohmann::ordered_json ObjectMetrics::json() const {
  nlohmann::ordered_json aps = nlohmann::ordered_json::array();
  for (const ObjectCounts& c : pooled_) aps.push_back(c.ap());
  const ObjectCounts& half = pooled_[0];
  return {{"true", half.both + half.only_true},
          {"found", half.both + half.only_found},
          {"matched", half.both},
          {"f1", half.f1()},
          {"f1_interval", f1_interval()},
          {"ap50", half.ap()},
          {"ap", mean_ap()},
          {"ap_by_iou", aps},
          {"panoptic_quality", panoptic_quality()}};
}

}  // namespace fovea
