// Windows over the positions of a map, (N, C, H, W) -> (N, C, OH, OW) with OH = (H + 2 pad - kernel) / stride + 1, rounded down, or up with
// `ceil` (a window must still begin on the map or its near padding).
// The padding is at most half the kernel. The first maximum of a window gets its gradient; a NaN wins.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

struct PoolOptions {
  int kernel = 2;
  int stride = 0;  // 0: the kernel
  int pad = 0;
  bool count_include_pad = true;  // avg: whether padding counts as zeros in the mean
  bool ceil = false;              // keep a last window that hangs over the far edge
};

Var avg_pool2d(const Var& x, PoolOptions options);
Var max_pool2d(const Var& x, PoolOptions options);

}  // namespace fovea
