// Two-dimensional convolution (cross-correlation, as in every deep-learning framework) and its transpose.
#pragma once

#include "modules/autograd/apply.hpp"
#include "modules/core/dnnl.hpp"

namespace fovea {

using Activation = dnn::Activation;

struct Conv2dOptions {
  std::array<std::int64_t, 2> stride{1, 1}, dilation{1, 1};
  std::array<std::int64_t, 2> pad_begin{0, 0}, pad_end{0, 0};  // rows, columns
  std::int64_t groups = 1;
  bool transposed = false;
  std::array<std::int64_t, 2> output_pad{0, 0};  // transposed only: rows and columns added at the far end
  Activation activation = Activation::none;      // applied last; differentiated from the output, so nothing more is kept
  double slope = 0.01;                           // of leaky_relu
};

// x: N x I x H x W. weight: O x I/groups x kh x kw, or I x O/groups x kh x kw when transposed. bias: O, may be undefined.
// y = activation(conv(x) + bias + residual); residual has y's shape and may be undefined.
Var conv2d(const Var& x, const Var& weight, const Var& bias, const Conv2dOptions& options, const Var& residual = {});

// The output shape, with the reasons where there is none.
Shape conv2d_shape(const Shape& x, const Shape& weight, const Conv2dOptions& options);

}  // namespace fovea
