// Matrix products.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

// a: ... x M x K, b: ... x K x N (the same rank, at least 2; leading axes equal or 1). Result ... x M x N. Error for other shapes.
Var matmul(const Var& a, const Var& b);

// x W^T + bias, as PyTorch's: x ... x I, weight O x I, bias O (may be undefined). Result ... x O. Error for other shapes.
Var linear(const Var& x, const Var& weight, const Var& bias = {});

}  // namespace fovea
