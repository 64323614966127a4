// Broadcasts x to `shape` as NumPy does, without a copy: axes of size 1 are repeated and leading axes added. The gradient is summed back
// to x's shape. Error where x does not broadcast to `shape`.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

Var expand(const Var& x, const Shape& shape);

}  // namespace fovea
