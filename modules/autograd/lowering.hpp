// What an op is to a plan: a role that its passes and kernels know, instead of a name. An op offers one by `lower()`; without a role
// a plan runs the op's own forward. All in f32, maps dense channels-last, everything else dense row-major.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <variant>
#include <vector>

#include "modules/core/dnnl_prepared.hpp"

namespace fovea {

// A row of memory: `positions` groups of `width` neighbours. The second operand moves by `sp` a position and by `su` (0 or 1) a neighbour.
struct PlaceRow {
  std::int64_t positions, width, sp, su;
};

namespace role {

// y[i] = f(x[i]) on n neighbours; y may be x.
struct Pointwise {
  // What a kernel may compute itself, bit for bit as `row` does: x > 0 or NaN ? x : 0; x > 0 ? x : a x; x < a ? a : x > b ? b : x;
  // a x + b.
  enum class Plain : std::uint8_t { no, relu, leaky_relu, clip, scale };
  void (*row)(float* y, const float* x, std::int64_t n, float a, float b);
  float a, b;
  std::optional<dnn::Eltwise> eltwise;  // the same function as oneDNN has it behind a convolution
  Plain plain = Plain::no;
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
// x seen as `split` (of rank 0: as it is), its axes in the order that `order` names, then under the output's shape.
struct Permute {
  Shape split, order;
};
// Every `step`th part along an axis from `begin` on, as many as the output has.
struct Slice {
  int axis;
  std::int64_t begin, step;
};
// The outputs lie one behind the other along an axis of x.
struct Split {
  int axis;
};
// The inputs one behind the other along an axis.
struct Concat {
  int axis;
};
// x repeated along the axes that it lacks.
struct Expand {};
// Anything else on bare memory. `bind` looks at how the values lie (rank 0 for an absent one, whose address is null); what it gives runs
// from any thread, allocates nothing and gives the same bits for every number of threads. Nothing where it does not fit.
struct Computation {
  struct Value {
    Shape shape, strides;
  };
  struct Bound {
    std::function<void(const float* const* in, float* const* out, float* workspace)> run;
    std::int64_t workspace = 0;  // elements
  };
  std::function<std::optional<Bound>(const std::vector<Value>& in, const std::vector<Value>& out)> bind;
  bool any_strides = false;  // takes views as they lie; else its inputs are dense, in the plan's layout
  bool rows = false;         // its outputs are dense row-major even where they are of rank 4
};

// (N, C, H, W) along an axis (1: channels, 2: rows, 3: columns), which becomes one element, scale * sum, or with `maximum` two, the
// maximum and scale * sum.
struct Line {
  int axis;
  double scale;
  bool maximum = false, mean_first = false;
};
struct LineStatistic {
  Line line;                   // axis 2 or 3
  Computation otherwise = {};  // where x is no map as the plan keeps it
};

}  // namespace role

using Lowering = std::variant<std::monostate, role::Convolution, role::Dense, role::Affine, role::Pointwise, role::Binary,
                              role::GlobalStatistic, role::ChannelStatistics, role::Pool, role::View, role::Permute, role::Slice,
                              role::Split, role::Concat, role::Expand, role::Computation, role::LineStatistic>;

}  // namespace fovea
