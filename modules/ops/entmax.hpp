// alpha-entmax along one axis: p_i = [(alpha - 1) x_i - tau]+^(1 / (alpha - 1)) with sum p = 1. alpha 1 is softmax, 2 sparsemax;
// the larger it is, the more values become exactly 0. Peters, Niculae, Martins 2019, arXiv:1905.05702.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

// alpha broadcasts to x with the axis at size 1 (one number, one a head, one a row) and has a gradient (Correia, Niculae, Martins
// 2019, arXiv:1909.00015).
Var entmax(const Var& x, const Var& alpha, int axis);
Var entmax(const Var& x, double alpha, int axis);

}  // namespace fovea
