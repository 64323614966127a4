// Running and moving sums along one axis. A negative axis counts from the end; Error where x has no such axis. Sums in f64.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

struct CumsumOptions {
  bool exclusive = false;  // without the element itself: the first is 0
  bool reverse = false;    // from the end
};
// y_i = sum over j <= i of x_j.
Var cumsum(const Var& x, int axis, CumsumOptions options = {});

// y_i = sum of x_j over i - before <= j <= i + after; there is nothing beyond the ends. Error where before or after is negative.
Var moving_sum(const Var& x, int axis, std::int64_t before, std::int64_t after);

}  // namespace fovea
