// Vectors of length one: y = x / max(|x|, eps), as PyTorch's normalize. The norm is taken
// along one axis, in f32 (f64 for f64); the result has x's shape. Error where eps <= 0 or x has no such axis.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

Var l2_normalize(const Var& x, int axis, double eps = 1e-12);

}  // namespace fovea
