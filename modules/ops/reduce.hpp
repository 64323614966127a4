// Sums, means and maxima over axes. `keep` leaves the reduced axes with size 1.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

Var sum(const Var& x, const std::vector<int>& axes, bool keep = true);
Var mean(const Var& x, const std::vector<int>& axes, bool keep = true);
// The gradient goes to the first maximum in row-major order.
Var max(const Var& x, const std::vector<int>& axes, bool keep = true);

}  // namespace fovea
