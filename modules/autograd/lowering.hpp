// How a compiled plan may run an op. `Op::lower()` describes the op by one of the roles below, which say what it computes; an op
// without a role runs its own forward inside the plan. Everything here is f32; maps (N, C, H, W) are dense channels-last in memory and
// all other values dense row-major, unless a role says otherwise.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <variant>
#include <vector>

#include "modules/core/dnnl_prepared.hpp"

namespace fovea {

// The operands of a binary row kernel. y and x hold positions x width contiguous elements; the other operand advances by
// `position_stride` elements from one position to the next and by `element_stride` (0: one scalar for each position, or 1) within it.
struct BroadcastRow {
  std::int64_t positions, width, position_stride, element_stride;
};

namespace role {

// y[i] = f(x[i]), any shape. `row` runs on n contiguous elements; y may be x.
struct Pointwise {
  // A function that a kernel may inline; the result must have the same bits as that of `row`.
  enum class Inline : std::uint8_t {
    none,
    relu,        // x > 0 or NaN ? x : 0
    leaky_relu,  // x > 0 ? x : a x
    clip,        // x < a ? a : x > b ? b : x
    scale        // a x + b
  };
  void (*row)(float* y, const float* x, std::int64_t n, float a, float b);
  float a, b;
  std::optional<dnn::Eltwise> eltwise;  // the same function as a oneDNN post-op
  Inline inlined = Inline::none;
};
// y = f(x, g), where g broadcasts to the shape of x as in NumPy. `swapped` computes f(g, x). y may be x.
struct Binary {
  using Row = void (*)(float* y, const float* x, const float* g, const BroadcastRow& row);
  Row row, swapped;
  bool sum = false;      // f is x + g
  bool product = false;  // f is x * g
};
// Inputs as conv2d takes them: x, weight, bias or none, residual or none. y = after(conv(x) + bias + residual).
struct Convolution {
  dnn::Conv options;
  std::optional<Pointwise> after;
};
// A fully connected layer over the last axis. Inputs: x (..., I), weight (O, I), bias (O) or none.
struct Linear {};
// A norm with fixed statistics: (x - mean) / sqrt(variance + eps) * weight + bias. Inputs: x (N, C, ...), weight (C) or none, bias (C)
// or none.
struct Affine {
  Tensor mean, variance;
  double eps;
};
// Global pooling: (N, C, H, W) -> (N, C, 1, 1).
struct GlobalPool {
  bool maximum;  // else the mean
};
// Pooling over windows: (N, C, H, W) -> (N, C, OH, OW); kernel, stride and padding in pixels, the same for rows and columns.
struct Pool2d {
  bool maximum;  // else the mean
  std::int64_t kernel, stride, pad;
  bool count_pad;  // whether the mean counts padding as zeros
};
// The same elements in row-major order under another shape.
struct Reshape {};
// x reshaped to `split` (rank 0: not at all), its axes permuted to `order`, then reshaped to the output's shape.
struct Permute {
  Shape split, order;
};
// Elements begin, begin + step, ... along an axis, as many as the output has.
struct Slice {
  int axis;
  std::int64_t begin, step;
};
// Consecutive parts of x along an axis, one for each output.
struct Split {
  int axis;
};
// The inputs one after another along an axis.
struct Concat {
  int axis;
};
// x broadcast to the output's shape.
struct Expand {};
// Any other kernel on bare memory. `bind` is given shapes and strides in elements (rank 0 for an absent input, whose address is null)
// and returns the function to run, or nothing where the kernel does not take such operands. The function may be called from any thread,
// allocates nothing and gives the same bits for every number of threads.
struct Computation {
  struct Value {
    Shape shape, strides;
  };
  struct Bound {
    std::function<void(const float* const* in, float* const* out, float* workspace)> run;
    std::int64_t workspace = 0;  // elements
  };
  std::function<std::optional<Bound>(const std::vector<Value>& in, const std::vector<Value>& out)> bind;
  bool any_strides = false;  // takes strided views as inputs; else its inputs are dense, in the plan's layout
  bool row_major = false;    // inputs that are constants, and all outputs, are dense row-major even where they are of rank 4
};

// Reduces one axis of a map (1: channels, 2: rows, 3: columns) to one element, scale * sum; with `maximum` to two, the maximum and
// scale * sum, in the other order with `mean_first`.
struct ReducedAxis {
  int axis;
  double scale;
  bool maximum = false, mean_first = false;
};
// (N, C, H, W) -> the same shape with 1 or 2 in place of the axis. An axis of channels always has `maximum` set and a scale of 1 / C.
struct AxisReduce {
  ReducedAxis reduced;
  Computation otherwise = {};  // for an input that is not dense channels-last; without `bind` there is none
};

}  // namespace role

// No role: std::monostate.
using Lowering = std::variant<std::monostate, role::Pointwise, role::Binary, role::Convolution, role::Linear, role::Affine,
                              role::GlobalPool, role::AxisReduce, role::Pool2d, role::Reshape, role::Permute, role::Slice,
                              role::Split, role::Concat, role::Expand, role::Computation>;

}  // namespace fovea
