// The same values in the same row-major order under another shape: a view where the strides allow it, else a copy.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

// One dimension may be -1: it takes what is left. Error where the number of elements differs.
Var reshape(const Var& x, const Shape& shape);

}  // namespace fovea
