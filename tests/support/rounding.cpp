#include "tests/support/rounding.hpp"

#include <algorithm>
#include <cmath>

#include "modules/core/random.hpp"
#include "tests/support/check_op.hpp"

namespace fovea::test {
namespace {

// A difference of more than this part of the largest value of an output is an error, not rounding.
constexpr double kMostRounding = 1e-3, kMostStorage = 0.25;

constexpr double kShare = 1.0 / 4096, kUnit = 1.0 / 16777216, kStorage = 1.0 / 256;

void set(const Tensor& parameter, const Tensor& value) {
  Tensor target = parameter;
  target.copy_from(value);
  target.touch();
}

void disturb(const Tensor& parameter, double share, Random& random) {
  Tensor changed = parameter.clone();
  float* v = changed.data<float>();
  for (std::int64_t i = 0; i < changed.size(); ++i) v[i] *= static_cast<float>(1 + (random.below(2) ? share : -share));
  set(parameter, changed);
}

struct Response {
  double change = 0, largest = 0;  // of an output when weights change; of the output
};

std::vector<Response> responses(const Tensors& parameters, double share, int draws, const std::function<Tensors()>& run) {
  const Tensors exact = run();
  std::vector<Response> out(exact.size());
  for (std::size_t i = 0; i < exact.size(); ++i)
    for (const double v : exact[i].values()) out[i].largest = std::max(out[i].largest, std::abs(v));
  Random random(11);
  for (int draw = 0; draw < draws; ++draw) {
    Tensors before;
    for (const Tensor& p : parameters) {
      before.push_back(p.clone());
      if (p.dtype() == DType::f32) disturb(p, share, random);
    }
    const Tensors moved = run();
    for (std::size_t i = 0; i < exact.size(); ++i) out[i].change = std::max(out[i].change, max_difference(exact[i], moved[i]));
    for (std::size_t i = 0; i < parameters.size(); ++i) set(parameters[i], before[i]);
  }
  return out;
}

}  // namespace

std::vector<double> rounding_bounds(const Tensors& parameters, std::int64_t longest_sum, const std::function<Tensors()>& run) {
  std::vector<double> bounds;
  for (const Response& r : responses(parameters, kShare, 3, run))
    bounds.push_back(
        std::min(kMostRounding * r.largest,
                 2 * (6 * std::sqrt(static_cast<double>(longest_sum)) + 8) * kUnit * r.change / kShare + 8 * kUnit * r.largest));
  return bounds;
}

std::vector<double> storage_bounds(const Tensors& parameters, int roundings, const std::function<Tensors()>& run) {
  std::vector<double> bounds;
  for (const Response& r : responses(parameters, kStorage, 8, run))
    bounds.push_back(std::min(kMostStorage * r.largest, 6 * std::sqrt(roundings / 6.0) * r.change + 2 * kStorage * r.largest));
  return bounds;
}

}  // namespace fovea::test
