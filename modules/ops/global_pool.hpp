// Mean and maximum over the positions of a map: (N, C, H, W) -> (N, C, 1, 1). A NaN wins. Error
// where x is no map or has no positions.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

Var global_avg_pool(const Var& x);
Var global_max_pool(const Var& x);  // the first of equal maxima gets the gradient: max_pool2d
Var global_amax(const Var& x);      // equal maxima share it: torch.amax

}  // namespace fovea
