// One element per index along an axis, as PyTorch's gather: y[i][j][k] = x[i][index[i][j][k]][k] for axis 1.
// index: s64, x's rank, at most x's size on the other axes. A position outside the axis is an error.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

Var gather(const Var& x, int axis, const Var& index);

}  // namespace fovea
