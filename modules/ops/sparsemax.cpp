#include "modules/ops/sparsemax.hpp"

#include <algorithm>
#include <functional>

#include "modules/ops/kernels/entmax_rows.hpp"

namespace fovea {
namespace {

using kernels::axis_to_back;
using kernels::Row;

// With z sorted downwards: k = max{j : 1 + j z_j > sum_{<=j} z}, tau = (sum_{<=k} z - 1) / k.
double threshold(Row z) {
  std::sort(z.begin(), z.end(), std::greater<>());
  double sum = 0, tau = 0;
  for (std::size_t j = 0; j < z.size(); ++j) {
    const auto count = static_cast<double>(j + 1);
    if (!(1 + count * z[j] > sum + z[j])) break;
    sum += z[j];
    tau = (sum - 1) / count;
  }
  return tau;
}

struct Sparsemax {
  static constexpr std::string_view name = "sparsemax";
  static constexpr Policy policy = Policy::statistic;
  int axis;

  Shapes infer(const Shapes& in) const {
    in[0].axis(axis, name);
    return {in[0]};
  }

  Tensors forward(Context& c, const Tensors& in) const {
    const int a = in[0].shape().axis(axis, name);
    const Tensor y = kernels::map_rows(axis_to_back(in[0], a).contiguous(Layout::row_major), name, [](Row& z, std::int64_t) {
      const double tau = threshold(z);
      for (double& v : z) v = std::max(0.0, v - tau);
    });
    c.save({y});
    return {axis_to_back(y, a).contiguous(in[0].layout())};
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const int a = grads[0].shape().axis(axis, name);
    const Tensor g = axis_to_back(grads[0], a).contiguous(Layout::row_major);
    const Tensor dx = kernels::map_rows_back(c.saved(0), g, name, [](double p, std::int64_t) { return p > 0 ? 1.0 : 0.0; });
    return {axis_to_back(dx, a).contiguous(grads[0].layout())};
  }
};

}  // namespace

Var sparsemax(const Var& x, int axis) { return apply(Sparsemax{axis}, {x}); }

}  // namespace fovea
