#include "datasets/metrics/boxes_curve.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace fovea {

void RightAndWrong::add(bool right, double count) {
  (right ? right_ : wrong_) += count;
  // COCOeval keeps the division defined with numpy.spacing(1), which the last digit shows.
  if (right) steps_.push_back({right_, right_ / (wrong_ + right_ + std::numeric_limits<double>::epsilon())});
}

PrecisionCurve RightAndWrong::curve(double objects) {
  for (std::size_t i = steps_.size(); i-- > 1;) steps_[i - 1].precision = std::max(steps_[i - 1].precision, steps_[i].precision);
  PrecisionCurve curve{};
  auto step = steps_.begin();
  for (std::size_t i = 0; i < kRecalls; ++i) {
    const double recall = static_cast<double>(i) * 0.01;  // as numpy.linspace rounds
    while (step != steps_.end() && step->right / objects < recall) ++step;
    if (step == steps_.end()) break;
    curve[i] = step->precision;
  }
  return curve;
}

double mean_of(const PrecisionCurve& curve) {
  return std::accumulate(curve.begin(), curve.end(), 0.0) / static_cast<double>(kRecalls);
}

std::size_t place_of(double threshold, const std::vector<double>& thresholds) {
  const auto same = [&](double t) { return std::abs(t - threshold) < 1e-9; };
  return static_cast<std::size_t>(std::find_if(thresholds.begin(), thresholds.end(), same) - thresholds.begin());
}

}  // namespace fovea
