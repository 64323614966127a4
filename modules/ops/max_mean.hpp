// Maximum and mean along one axis of a map, side by side in that axis: what CBAM's spatial gate and triplet attention look at.
// (N, C, H, W) -> that shape with 2 in place of the axis: the maximum, then the mean (or the other way round). One pass over memory.
#pragma once

#include "modules/autograd/var.hpp"
#include "modules/ops/ties.hpp"

namespace fovea {

// axis: 1 (channels), 2 (rows) or 3 (columns); Error for others and for an axis of size 0. The gradient of maxima goes as
// Ties say; a NaN wins.
Var max_mean(const Var& x, int axis, bool mean_first = false, Ties ties = Ties::first);

}  // namespace fovea
