// Choice by a mask of booleans; mask, a and b broadcast to one shape. The mask has no gradient. Error where it is not of type bool or the
// two values differ in type.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

// mask ? a : b.
Var where(const Var& mask, const Var& a, const Var& b);
// mask ? value : x; the mask broadcasts to x's shape.
Var masked_fill(const Var& x, const Var& mask, double value);

}  // namespace fovea
