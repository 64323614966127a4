// Per-sample weighted sum of maps, with an optional leaky relu: A2N's mixing of branches (arXiv:2104.09497) in one pass over
// memory instead of one for each product, sum and activation.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

// maps: K of N x C x H x W. weights: N x K. y[n] = leaky_relu(sum_k weights[n, k] maps[k][n], slope); slope 1 is no activation.
Var mix(const Var& weights, const Vars& maps, double slope = 1);

}  // namespace fovea
