// A mask as values to add to attention scores, of the same shape: of a boolean mask true becomes `when_true` and false `when_false`, as in
// 0 and -inf; a mask of values is returned as it is, with its gradient.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

Var additive_mask(const Var& mask, double when_true, double when_false);

}  // namespace fovea
