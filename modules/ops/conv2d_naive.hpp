// Direct loops for convolution: the reference in f64, and what runs where oneDNN has only a slow kernel.
// Tensors are read through their strides; x, w, y share one element type.
#pragma once

#include "modules/ops/conv2d.hpp"

namespace fovea::naive {

// The plain (not transposed) convolution that these three are about. A transposed one is the same with x and y exchanged.
void conv_forward(const Conv2dOptions& o, const Tensor& x, const Tensor& w, Tensor& y);
void conv_backward_data(const Conv2dOptions& o, const Tensor& gy, const Tensor& w, Tensor& gx);
void conv_backward_weights(const Conv2dOptions& o, const Tensor& x, const Tensor& gy, Tensor& gw);

}  // namespace fovea::naive
