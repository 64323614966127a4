// Sums of a function of the values over the positions of a map: (N, C, H, W) -> (N, C, 1, 1), read once.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

Var global_sum_squares(const Var& x);  // sum x^2
Var global_sum_abs(const Var& x);      // sum |x|, gradient 0 at 0

}  // namespace fovea
