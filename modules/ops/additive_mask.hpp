// Masks of booleans or of values as values to add to scores: true becomes one number, false another; values stay, with their gradient.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

Var additive_mask(const Var& mask, double when_true, double when_false);

}  // namespace fovea
