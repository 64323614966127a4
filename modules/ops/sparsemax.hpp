// sparsemax along one axis: the projection onto the simplex, p = [x - tau]+ with sum p = 1. Most small values become exactly 0.
// The result has x's shape and lies in [0, 1]. A negative axis counts from the end; Error where x has no such axis.
// Martins and Astudillo 2016, arXiv:1602.02068.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

Var sparsemax(const Var& x, int axis);

}  // namespace fovea
