// Direct loops for deformable convolution: the reference in f64, and what runs where oneDNN has only a slow matrix product.
#pragma once

#include "modules/core/tensor.hpp"
#include "modules/ops/kernels/deform_samples.hpp"

namespace fovea::naive {

// Tensors share one element type, f32 or f64; maps are dense channels-last, the weight O x I/groups x kh x kw row-major; mask may
// be undefined.
struct DeformInputs {
  kernels::DeformGeometry geometry;
  Tensor x, offset, mask, weight;
};

void deform_forward(const DeformInputs& in, Tensor& y);

// Adds to the gradients that are defined; they start as zeros.
struct DeformGradients {
  Tensor x, offset, mask, weight;
};
void deform_backward(const DeformInputs& in, const Tensor& gy, DeformGradients& out);

}  // namespace fovea::naive
