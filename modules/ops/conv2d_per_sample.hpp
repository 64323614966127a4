// Convolution with a kernel of its own for each sample: what dynamic convolution needs once its kernels are mixed.
#pragma once

#include "modules/ops/conv2d.hpp"

namespace fovea {

// x: N x I x H x W. weight: N x O x I/groups x kh x kw. bias: N x O, may be undefined. y[n] = conv2d(x[n], weight[n], bias[n]).
// Not for transposed convolutions, and without an activation.
Var conv2d_per_sample(const Var& x, const Var& weight, const Var& bias, const Conv2dOptions& options);

}  // namespace fovea
