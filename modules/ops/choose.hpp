// Choices: values of 0 and 1 that say what was chosen, in the type of what they were chosen by. Nothing flows back through a
// choice: its gradient is 0, as that of torch's comparisons and indices. NaN is never chosen before a number.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

// 1 where x >= threshold.
Var at_least(const Var& x, double threshold);

// 1 at the first of the largest values along the last axis.
Var one_hot_max(const Var& x);

// 1 at a place drawn from the distribution p along the last axis by a number u in [0, 1) (the shape of p without that axis):
// the number of places whose running sum of p is below u.
Var one_hot_sample(const Var& p, const Var& u);

}  // namespace fovea
