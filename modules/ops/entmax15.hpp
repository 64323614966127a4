// 1.5-entmax along one axis, exact: p = [x/2 - tau]+^2 with sum p = 1. Between softmax and sparsemax.
// Peters, Niculae, Martins 2019, arXiv:1905.05702.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

Var entmax15(const Var& x, int axis);

}  // namespace fovea
