// Axes in another order: a view, except that a channels-last map whose rows and columns swap stays dense.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

// result.dim(i) == x.dim(order[i]); negative axes count from the end. Error where `order` does not name every axis once.
Var permute(const Var& x, const Shape& order);

}  // namespace fovea
