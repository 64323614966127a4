#include "datasets/metrics/boxes.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "datasets/metrics/boxes_curve.hpp"
#include "modules/core/error.hpp"

namespace fovea {
namespace {

constexpr std::size_t kMostObjects = 100'000;  // of an image: overlaps of all with 100 detections are held at once

void check_label(std::int64_t label, std::size_t classes) {
  check(label >= 0 && static_cast<std::size_t>(label) < classes, "box metrics: expected a label below ", classes, ", got ",
        label);
}

void check_box(const Box& b) {
  check(std::isfinite(b.area()), "box metrics: expected a finite box, got ", b.x1, " ", b.y1, " ", b.x2, " ", b.y2);
}

}  // namespace

std::vector<double> coco_thresholds() {
  std::vector<double> all;
  constexpr double kStep = (0.95 - 0.5) / 9;  // as numpy.linspace rounds
  for (int i = 0; i < 9; ++i) all.push_back(i * kStep + 0.5);
  all.push_back(0.95);
  return all;
}

BoxMetrics::BoxMetrics(std::vector<std::string> classes, std::vector<double> thresholds)
    : classes_(std::move(classes)), thresholds_(std::move(thresholds)), found_(classes_.size()) {
  check(!thresholds_.empty() && thresholds_.size() <= kMostThresholds, "box metrics: expected 1 to ", kMostThresholds,
        " thresholds, got ", thresholds_.size());
  for (const double t : thresholds_) check(t > 0 && t <= 1, "box metrics: expected thresholds in (0, 1], got ", t);
}

void BoxMetrics::add(std::int64_t image, const std::vector<Annotation>& truth, const Detections& detections) {
  check(truth.size() <= kMostObjects, "box metrics: expected at most ", kMostObjects, " objects of an image, got ", truth.size());
  struct OfClass {
    std::vector<const Annotation*> truth;
    std::vector<const Detection*> detections;
  };
  std::map<std::int64_t, OfClass> by_class;
  for (const Annotation& a : truth) {
    check_label(a.label, classes_.size());
    check_box(a.box);
    check(!std::isnan(a.area), "box metrics: expected an area, got ", a.area);
    by_class[a.label].truth.push_back(&a);
  }
  for (const Detection& d : detections) {
    check_label(d.label, classes_.size());
    check_box(d.box);
    check(std::isfinite(d.score), "box metrics: expected a finite score, got ", d.score);
    by_class[d.label].detections.push_back(&d);
  }
  check(images_.insert(image).second, "box metrics: image ", image, " was added before");
  for (const auto& [label, all] : by_class)
    found_[static_cast<std::size_t>(label)].push_back({image, match_boxes(all.truth, all.detections, thresholds_)});
}

std::vector<RankedMatch> BoxMetrics::ranked(std::size_t c) const {
  std::vector<const OfImage*> in_order;
  for (const OfImage& i : found_[c]) in_order.push_back(&i);
  std::sort(in_order.begin(), in_order.end(), [](const OfImage* a, const OfImage* b) { return a->image < b->image; });
  std::vector<RankedMatch> all;
  for (const OfImage* i : in_order)
    for (std::size_t rank = 0; rank < i->matches.detections.size(); ++rank)
      all.push_back({&i->matches.detections[rank], rank, i->image});
  std::stable_sort(all.begin(), all.end(),
                   [](const RankedMatch& a, const RankedMatch& b) { return a.match->score > b.match->score; });
  return all;
}

}  // namespace fovea
