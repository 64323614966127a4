#include "datasets/metrics/boxes_match.hpp"

#include <algorithm>

namespace fovea {
namespace {

struct Range {
  double low, high;  // both belong to it
  bool holds(double area) const { return area >= low && area <= high; }
};
constexpr std::array<Range, kBoxAreas> kRanges{{{0, 1e10}, {0, 32.0 * 32}, {32.0 * 32, 96.0 * 96}, {96.0 * 96, 1e10}}};

// At the ends of ranges and at thresholds the last digit decides.
template <class T>
double area_of(const T& one) {
  return written_area(one.box, one.written);
}

class Matcher {
 public:
  Matcher(const std::vector<const Annotation*>& truth, const std::vector<const Detection*>& detections,
          const std::vector<double>& thresholds)
      : truth_(truth), thresholds_(thresholds), overlaps_(truth.size() * detections.size()) {
    std::vector<double> areas;
    for (const Annotation* t : truth) areas.push_back(area_of(*t));
    auto overlap = overlaps_.begin();
    for (const Detection* d : detections) {
      areas_.push_back(area_of(*d));
      for (std::size_t t = 0; t < truth.size(); ++t) {
        const double both = intersection(d->box, truth[t]->box);
        const double either = truth[t]->ignored ? areas_.back() : areas_.back() + areas[t] - both;
        *overlap++ = both > 0 ? both / either : 0;
      }
    }
  }

  void match(std::size_t area, BoxMatches& out) {
    std::vector<std::size_t> order;  // ignored objects last
    std::vector<char> ignored;
    for (const Annotation* t : truth_) ignored.push_back(t->ignored || !kRanges[area].holds(object_area(*t)));
    for (const char wanted : {0, 1})
      for (std::size_t t = 0; t < truth_.size(); ++t)
        if (ignored[t] == wanted) order.push_back(t);
    out.objects[area] = std::count(ignored.begin(), ignored.end(), 0);
    for (std::size_t i = 0; i < thresholds_.size(); ++i) {
      const std::uint32_t bit = std::uint32_t{1} << i;
      std::vector<char> taken(truth_.size());
      for (std::size_t d = 0; d < areas_.size(); ++d) {
        const std::size_t best = best_of(d, thresholds_[i], order, ignored, taken);
        BoxMatch& match = out.detections[d];
        if (best < truth_.size()) taken[best] = 1, match.found[area] |= bit;
        if (best < truth_.size() ? ignored[best] : !kRanges[area].holds(areas_[d])) match.ignored[area] |= bit;
      }
    }
  }

 private:
  static double object_area(const Annotation& a) { return a.area >= 0 ? a.area : area_of(a); }

  // The object that a detection finds; past the end: none. A region of many can be found by many. Of equal overlaps the last
  // counts, and an ignored object only where no other is overlapped enough.
  std::size_t best_of(std::size_t detection, double threshold, const std::vector<std::size_t>& order,
                      const std::vector<char>& ignored, const std::vector<char>& taken) const {
    const double* overlap = overlaps_.data() + detection * truth_.size();
    double most = std::min(threshold, 1 - 1e-10);
    std::size_t best = truth_.size();
    for (const std::size_t t : order) {
      if (taken[t] && !truth_[t]->ignored) continue;
      if (best < truth_.size() && !ignored[best] && ignored[t]) break;
      if (overlap[t] < most) continue;
      most = overlap[t], best = t;
    }
    return best;
  }

  const std::vector<const Annotation*>& truth_;
  const std::vector<double>& thresholds_;
  std::vector<double> areas_;     // of the detections
  std::vector<double> overlaps_;  // of each detection with each object
};

}  // namespace

BoxMatches match_boxes(const std::vector<const Annotation*>& truth, std::vector<const Detection*> detections,
                       const std::vector<double>& thresholds) {
  std::stable_sort(detections.begin(), detections.end(),
                   [](const Detection* a, const Detection* b) { return a->score > b->score; });
  detections.resize(std::min(detections.size(), kMostDetections));
  BoxMatches out;
  for (const Detection* d : detections) out.detections.push_back({.score = d->score});
  Matcher matcher(truth, detections, thresholds);
  for (std::size_t area = 0; area < kBoxAreas; ++area) matcher.match(area, out);
  return out;
}

}  // namespace fovea
