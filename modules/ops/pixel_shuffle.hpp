// Sub-pixel rearrangement (Shi et al. 2016, arXiv:1609.05158), with PyTorch's channel order.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

// N x C r^2 x H x W -> N x C x rH x rW: out[c, y r + i, x r + j] = in[c r^2 + i r + j, y, x].
Var pixel_shuffle(const Var& x, std::int64_t factor);
// The inverse.
Var pixel_unshuffle(const Var& x, std::int64_t factor);

}  // namespace fovea
