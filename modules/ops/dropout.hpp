// Inverted dropout, Srivastava et al. 2014: in training each value is zeroed with the given probability and the others are
// divided by 1 - probability; otherwise the input itself. DropBlock, Ghiasi et al. 2018, arXiv:1810.12890, zeroes squares of a map (N, C, H, W), of each
// channel by itself: neighbours of a dropped value would tell it again.
#pragma once

#include "modules/autograd/var.hpp"
#include "modules/core/random.hpp"

namespace fovea {

// Draws from `random`, so that a checkpoint of its state resumes exactly. Error unless 0 <= probability < 1.
Var dropout(const Var& x, double probability, bool training, Random& random);

// `probability` of the values, in squares of `block` x `block` that lie on the map (on a smaller map, of its size). What is left is scaled so that the mean
// of the whole tensor stays. Draws from `random`. Error unless 0 <= probability < 1, block >= 1 and x has four axes.
Var drop_block(const Var& x, double probability, int block, bool training, Random& random);

}  // namespace fovea
