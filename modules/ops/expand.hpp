// Repeats along axes of size 1 and new leading axes, without a copy; the gradient is summed back.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

Var expand(const Var& x, const Shape& shape);

}  // namespace fovea
