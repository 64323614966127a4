// A recurrence along the last axis: y_j = a_j y_{j-1} + b_j with y_{-1} = 0. With b = (1, 0, 0, ...) it is a running product
// without its first factor, with a = 1 a running sum. State in f64.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

// a, b and the result are of one shape; Error for others.
Var linear_scan(const Var& a, const Var& b);

}  // namespace fovea
