// Standard deviation over the positions of a map: (N, C, H, W) -> (N, C, 1, 1), sqrt(var + eps).
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

// unbiased: the sum of squares is divided by H W - 1, else by H W. One position has no variance: sqrt(eps), where PyTorch's var is NaN.
Var global_std_pool(const Var& x, double eps = 1e-5, bool unbiased = true);

}  // namespace fovea
