// The activations that a convolution or linear layer applies itself.
#pragma once

#include <optional>

#include "modules/autograd/lowering.hpp"

namespace fovea {

// In place, for the kernels that have no fused activation.
void activate(dnn::Activation a, double slope, Tensor& y);
// Gradient before the activation from the gradient after it and the output y. Returns `grad` where there is no activation.
Tensor activation_backward(dnn::Activation a, double slope, const Tensor& grad, const Tensor& y);
// The activation for a compiled plan (autograd/lowering.hpp); nothing for Activation::none.
std::optional<role::Pointwise> activation_role(dnn::Activation a, double slope);

}  // namespace fovea
