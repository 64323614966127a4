#include "modules/ops/entmax15.hpp"

#include <algorithm>
#include <functional>

#include "modules/ops/kernels/entmax_rows.hpp"

namespace fovea {
namespace {

using kernels::axis_to_back;
using kernels::Row;

// Mean and variance of the j largest values give the threshold that a support of j would have; the support is as large as values
// stay above their own threshold.
double threshold(Row z) {
  std::sort(z.begin(), z.end(), std::greater<>());
  double sum = 0, squares = 0, tau = 0;
  for (std::size_t j = 0; j < z.size() && std::isfinite(z[j]); ++j) {
    const auto count = static_cast<double>(j + 1);
    sum += z[j], squares += z[j] * z[j];
    const double mean = sum / count, spread = squares - sum * mean;
    const double candidate = mean - std::sqrt(std::max(0.0, (1 - spread) / count));
    if (candidate > z[j]) break;
    tau = candidate;
  }
  return tau;
}

struct Entmax15 {
  static constexpr std::string_view name = "entmax15";
  static constexpr Policy policy = Policy::statistic;
  int axis;

  Shapes infer(const Shapes& in) const {
    in[0].axis(axis, name);
    return {in[0]};
  }

  Tensors forward(Context& c, const Tensors& in) const {
    const int a = in[0].shape().axis(axis, name);
    const Tensor y = kernels::map_rows(axis_to_back(in[0], a).contiguous(Layout::row_major), name, [](Row& z, std::int64_t) {
      for (double& v : z) v /= 2;
      const double tau = threshold(z);
      for (double& v : z) v = v > tau ? (v - tau) * (v - tau) : 0;
    });
    c.save({y});
    return {axis_to_back(y, a).contiguous(in[0].layout())};
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const int a = grads[0].shape().axis(axis, name);
    const Tensor g = axis_to_back(grads[0], a).contiguous(Layout::row_major);
    const Tensor dx = kernels::map_rows_back(c.saved(0), g, name, [](double p, std::int64_t) { return std::sqrt(p); });
    return {axis_to_back(dx, a).contiguous(grads[0].layout())};
  }
};

}  // namespace

Var entmax15(const Var& x, int axis) { return apply(Entmax15{axis}, {x}); }

}  // namespace fovea
