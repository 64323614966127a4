// softmax, exp(x) / sum exp(x), and its logarithm along one axis of a value of any shape; the result has x's shape, type and layout.
// Computed in f32 (f64 for f64) after subtracting the largest value, so that no input overflows: softmax lies in [0, 1], log-softmax in
// [-inf, 0]. A row that holds a NaN, or only -inf (everything masked), gives NaN, as PyTorch does. A negative axis counts from the end;
// Error where x has no such axis.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

Var softmax(const Var& x, int axis);
Var log_softmax(const Var& x, int axis);

}  // namespace fovea
