// Activations, gates and widths by the names that recipes use.
#pragma once

#include <functional>
#include <string>

#include "modules/autograd/var.hpp"

namespace fovea {

using Pointwise = std::function<Var(const Var&)>;

// none, relu, relu6, leaky_relu, silu (swish), gelu, sigmoid, tanh, hard_sigmoid, hard_swish (h_swish).
// `where` opens the message for another name.
Pointwise activation(const std::string& name, const std::string& where);

// The multiple of `divisor` nearest to `value`, at least `divisor`, and one more where rounding took away more than 1 - round_limit
// (timm's and torchvision's rule).
std::int64_t make_divisible(double value, std::int64_t divisor, double round_limit = 0.9);

}  // namespace fovea
