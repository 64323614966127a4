// Choice by a mask of booleans; the three broadcast together. The mask has no gradient.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

// mask ? a : b.
Var where(const Var& mask, const Var& a, const Var& b);
// mask ? value : x.
Var masked_fill(const Var& x, const Var& mask, double value);

}  // namespace fovea
