#include "tests/support/rounding.hpp"

#include <algorithm>
#include <cmath>

#include "modules/core/random.hpp"
#include "tests/support/check_op.hpp"

namespace fovea::test {
namespace {

constexpr double kShare = 1.0 / 4096, kUnit = 1.0 / 16777216;

void set(const Tensor& parameter, const Tensor& value) {
  Tensor target = parameter;
  target.copy_from(value);
  target.touch();
}

void disturb(const Tensor& parameter, Random& random) {
  Tensor changed = parameter.clone();
  float* v = changed.data<float>();
  for (std::int64_t i = 0; i < changed.size(); ++i) v[i] *= static_cast<float>(1 + (random.below(2) ? kShare : -kShare));
  set(parameter, changed);
}

}  // namespace

std::vector<double> rounding_bounds(const Tensors& parameters, std::int64_t longest_sum, const std::function<Tensors()>& run) {
  const Tensors exact = run();
  std::vector<double> response(exact.size(), 0.0), bounds;
  Random random(11);
  for (int draw = 0; draw < 3; ++draw) {
    Tensors before;
    for (const Tensor& p : parameters) {
      before.push_back(p.clone());
      if (p.dtype() == DType::f32) disturb(p, random);
    }
    const Tensors moved = run();
    for (std::size_t i = 0; i < exact.size(); ++i) response[i] = std::max(response[i], max_difference(exact[i], moved[i]));
    for (std::size_t i = 0; i < parameters.size(); ++i) set(parameters[i], before[i]);
  }
  for (std::size_t i = 0; i < exact.size(); ++i) {
    double largest = 0;
    for (const double v : exact[i].values()) largest = std::max(largest, std::abs(v));
    bounds.push_back(2 * (6 * std::sqrt(static_cast<double>(longest_sum)) + 8) * kUnit * response[i] / kShare +
                     8 * kUnit * largest);
  }
  return bounds;
}

}  // namespace fovea::test
