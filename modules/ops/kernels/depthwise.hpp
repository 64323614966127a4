// Depthwise convolutions (one input channel an output channel) of channels-last maps, f32 and bf16 with f32 sums, vectorised over the
// channels. oneDNN 2.6 has no fast gradient of their weights (5x5, 120 channels: f32 9 x its forward, bf16 48 x).
// Results do not depend on the thread count.
#pragma once

#include <array>

#include "modules/core/tensor.hpp"

namespace fovea::kernels {

struct Depthwise {
  std::array<std::int64_t, 2> stride{1, 1}, dilation{1, 1}, pad{0, 0};  // pad: in front; behind it follows from the sizes
};

// Maps N x C x H x W dense channels-last; w, gw: C x 1 x kh x kw, f32 row-major. All write their last argument whole.
void depthwise_forward(const Depthwise& d, const Tensor& x, const Tensor& w, Tensor& y);
void depthwise_backward_data(const Depthwise& d, const Tensor& gy, const Tensor& w, Tensor& gx);
// 3x3 and 5x5 with dilation 1 only: false for others.
bool depthwise_backward_weights(const Depthwise& d, const Tensor& x, const Tensor& gy, Tensor& gw);

}  // namespace fovea::kernels
