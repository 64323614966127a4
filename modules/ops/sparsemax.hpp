// sparsemax along one axis: the projection onto the simplex, p = [x - tau]+ with sum p = 1. Most small values become exactly 0.
// Martins and Astudillo 2016, arXiv:1602.02068.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

Var sparsemax(const Var& x, int axis);

}  // namespace fovea
