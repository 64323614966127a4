// Precision and recall along detections of falling score.
#pragma once

#include <vector>

#include "datasets/metrics/boxes.hpp"

namespace fovea {

// A detection among those of its class on all images.
struct RankedMatch {
  const BoxMatch* match;
  std::size_t rank;    // among the image's detections of the class, from 0
  std::int64_t image;  // its id
};

class RightAndWrong {
 public:
  void add(bool right, double count = 1);
  void clear() { steps_.clear(), right_ = wrong_ = 0; }

  double right() const { return right_; }
  double wrong() const { return wrong_; }
  // Of `objects` that were to be found, more than none. Precisions become those of the curve.
  PrecisionCurve curve(double objects);

 private:
  struct Step {
    double right, precision;
  };
  std::vector<Step> steps_;  // one for each that is right: the curve's precisions are reached there
  double right_ = 0, wrong_ = 0;
};

double mean_of(const PrecisionCurve& curve);

// Where one of the thresholds stands; past the end: nowhere.
std::size_t place_of(double threshold, const std::vector<double>& thresholds);

}  // namespace fovea
