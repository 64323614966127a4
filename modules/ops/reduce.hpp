// Sums, means and maxima over axes of a value of any shape. Reduced axes stay with size 1 where `keep` is set and are removed where it is
// not: (N, C, H, W) over {2, 3} gives (N, C, 1, 1) or (N, C). The result has x's type; sums are taken in f32 and f64 (core/reduce.hpp).
// Negative axes count from the end. Error where `axes` is empty or names an axis that x does not have, and for the mean and the maximum
// of no elements.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

Var sum(const Var& x, const std::vector<int>& axes, bool keep = true);
Var mean(const Var& x, const std::vector<int>& axes, bool keep = true);
// A NaN wins. The gradient goes to the first maximum in row-major order.
Var max(const Var& x, const std::vector<int>& axes, bool keep = true);

}  // namespace fovea
