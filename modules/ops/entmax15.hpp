// 1.5-entmax along one axis, exact: p = [x/2 - tau]+^2 with sum p = 1. Between softmax and sparsemax.
// The result has x's shape and lies in [0, 1]. A negative axis counts from the end; Error where x has no such axis.
// Peters, Niculae, Martins 2019, arXiv:1905.05702.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

Var entmax15(const Var& x, int axis);

}  // namespace fovea
