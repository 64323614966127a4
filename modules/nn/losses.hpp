// Losses: one number from a prediction and a target.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

Var l1(const Var& x, const Var& target);

}  // namespace fovea
