// Changes the element type; the gradient comes back in the input's type.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

Var cast(const Var& x, DType dtype);

}  // namespace fovea
