// Feature maps of attention without a softmax: pointwise functions by name.
#pragma once

#include <functional>
#include <string>

#include "modules/autograd/var.hpp"

namespace fovea {

using FeatureMap = std::function<Var(const Var&)>;

// elu (elu + 1), relu, softplus, exp, square, sigmoid, gelu, silu, tanh, leaky_relu, identity. Error for another name.
FeatureMap feature_map(const std::string& name);

}  // namespace fovea
