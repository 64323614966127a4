// HeadDrop: in training whole heads are left out, the same ones for the whole batch, and the others scaled by H / H_alive.
// Inaguma et al. 2020, arXiv:2005.09394.
#pragma once

#include <vector>

#include "modules/autograd/var.hpp"

namespace fovea {

// x: N x heads x ... ; heads that are not alive become 0. Nothing is scaled where none is.
Var keep_heads(const Var& x, const std::vector<bool>& alive);

// Draws who lives while training; otherwise x itself.
Var head_drop(const Var& x, double probability);

}  // namespace fovea
