// A gate broadcast over a map: y = x * g, with g of x's shape but for axes of size 1 (one value a channel: N x C x 1 x 1, a position:
// N x 1 x H x W, a row, a column). One pass over memory forward and one backward, which multiplies and sums at once.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

Var gate(const Var& x, const Var& g);

// Whether g is such a gate of x: rank 4, the same number of samples, smaller than x. gate() gives an Error where not.
bool is_gate(const Shape& x, const Shape& g);

}  // namespace fovea
