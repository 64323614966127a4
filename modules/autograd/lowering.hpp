// What an op is to a plan: a role that its passes and kernels know, instead of a name. An op offers one by `lower()`; without a role
// a plan runs the op's own forward. All in f32, maps dense channels-last, everything else dense row-major.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "modules/core/dnnl_prepared.hpp"

namespace fovea {

// A row of memory: `places` groups of `width` neighbours. The second operand moves by `sp` a place and by `su` (0 or 1) a neighbour.
struct PlaceRow {
  std::int64_t places, width, sp, su;
};

namespace role {

// y[i] = f(x[i]) on n neighbours; y may be x.
struct Pointwise {
  void (*row)(float* y, const float* x, std::int64_t n, float a, float b);
  float a, b;
  std::optional<dnn::Eltwise> eltwise;  // the same function as oneDNN has it behind a convolution
};
// Inputs: x, weight, bias or none, residual or none, as conv2d takes them. `after` is the activation that it applies last.
struct Convolution {
  dnn::Conv options;
  std::optional<Pointwise> after;
};
// Inputs: x (..., I), weight O x I, bias or none: a linear layer over the last axis.
struct Dense {};
// Inputs: x (N, C, ...), weight or none, bias or none, each C: (x - mean) / sqrt(variance + eps) * weight + bias.
struct Affine {
  Tensor mean, variance;
  double eps;
};
// y = f(x, g) and, swapped, f(g, x), where g is spread over x; y may be x.
struct Binary {
  using Row = void (*)(float* y, const float* x, const float* g, const PlaceRow& row);
  Row row, swapped;
  bool sum = false;      // f is x + g
  bool product = false;  // f is x * g
};
// (N, C, H, W) -> (N, C, 1, 1)
struct GlobalStatistic {
  bool maximum;  // else the mean
};
// (N, C, H, W) -> (N, 2, H, W): maximum and mean over the channels.
struct ChannelStatistics {
  bool mean_first;
};
// Windows over a map; sizes follow from the shapes.
struct Pool {
  bool maximum;  // else the mean
  std::int64_t kernel, stride, pad;
  bool count_pad;
};
// The same elements in row-major order under another shape.
struct View {};

}  // namespace role

using Lowering = std::variant<std::monostate, role::Convolution, role::Dense, role::Affine, role::Pointwise, role::Binary,
                              role::GlobalStatistic, role::ChannelStatistics, role::Pool, role::View>;

}  // namespace fovea
