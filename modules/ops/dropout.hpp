// Inverted dropout, Srivastava et al. 2014: in training each value is zeroed with the given probability and the others are
// divided by 1 - probability; otherwise the input itself.
#pragma once

#include "modules/autograd/var.hpp"
#include "modules/core/random.hpp"

namespace fovea {

// Draws from `random`, so that a checkpoint of its state resumes exactly. Error unless 0 <= probability < 1.
Var dropout(const Var& x, double probability, bool training, Random& random);

}  // namespace fovea
