// Mean and maximum over the positions of a map: (N, C, H, W) -> (N, C, 1, 1). The first maximum gets the gradient; a NaN wins. Error
// where x is no map or has no positions.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

Var global_avg_pool(const Var& x);
Var global_max_pool(const Var& x);

}  // namespace fovea
