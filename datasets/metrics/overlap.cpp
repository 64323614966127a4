#include "datasets/metrics/overlap.hpp"

#include "datasets/masks.hpp"
#include "modules/core/error.hpp"

namespace fovea {
namespace {

double ratio(double part, double whole) { return whole > 0 ? part / whole : 1; }

}  // namespace

double OverlapMetrics::PerClass::dice() const {
  return ratio(2.0 * static_cast<double>(both), static_cast<double>(labelled + true_));
}

double OverlapMetrics::PerClass::iou() const {
  return ratio(static_cast<double>(both), static_cast<double>(labelled + true_ - both));
}

OverlapMetrics::OverlapMetrics(std::vector<std::string> classes) {
  check(!classes.empty(), "overlap: expected at least one class");
  for (std::string& name : classes) classes_.push_back({std::move(name)});
}

// Where a label is counted; past the end for what is no class.
std::size_t OverlapMetrics::of_label(std::uint8_t label) const {
  if (classes_.size() > 1) return label;
  return label == 1 ? 0 : 1;
}

void OverlapMetrics::add(const cv::Mat& labels, const cv::Mat& truth) {
  check(labels.type() == CV_8U && truth.type() == CV_8U && labels.size() == truth.size(),
        "overlap: expected two label maps of 8 bits and one size");
  ++pictures_;
  for (int y = 0; y < truth.rows; ++y) {
    const auto *got = labels.ptr<std::uint8_t>(y), *want = truth.ptr<std::uint8_t>(y);
    for (int x = 0; x < truth.cols; ++x) {
      if (got[x] == kIgnoredLabel || want[x] == kIgnoredLabel) continue;
      const std::size_t a = of_label(got[x]), b = of_label(want[x]);
      ++pixels_, right_ += got[x] == want[x];
      if (a < classes_.size()) ++classes_[a].labelled;
      if (b < classes_.size()) ++classes_[b].true_;
      if (a == b && a < classes_.size()) ++classes_[a].both;
    }
  }
}

double OverlapMetrics::mean_dice() const {
  double sum = 0;
  for (const PerClass& c : classes_) sum += c.dice();
  return sum / static_cast<double>(classes_.size());
}

double OverlapMetrics::mean_iou() const {
  double sum = 0;
  for (const PerClass& c : classes_) sum += c.iou();
  return sum / static_cast<double>(classes_.size());
}

double OverlapMetrics::accuracy() const { return ratio(static_cast<double>(right_), static_cast<double>(pixels_)); }

nlohmann::ordered_json OverlapMetrics::json() const {
  nlohmann::ordered_json out{
      {"pictures", pictures_}, {"mean_dice", mean_dice()}, {"mean_iou", mean_iou()}, {"accuracy", accuracy()}};
  for (const PerClass& c : classes_)
    out["classes"].push_back(
        {{"class", c.name}, {"dice", c.dice()}, {"iou", c.iou()}, {"pixels", c.true_}, {"labelled", c.labelled}});
  return out;
}

}  // namespace fovea
