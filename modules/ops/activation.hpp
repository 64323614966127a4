// The activations that a convolution or linear layer applies itself.
#pragma once

#include "modules/core/dnnl.hpp"

namespace fovea {

// In place, for the kernels that have no fused activation.
void activate(dnn::Activation a, double slope, Tensor& y);
// Gradient before the activation from the gradient after it and the output y. Returns `grad` where there is no activation.
Tensor activation_backward(dnn::Activation a, double slope, const Tensor& grad, const Tensor& y);

}  // namespace fovea
