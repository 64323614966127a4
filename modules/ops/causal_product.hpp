// Attention without a softmax in which a position sees itself and what came before, Katharopoulos et al. 2020, arXiv:2006.16236:
// y_i = sum over j <= i of (q_i . k_j) v_j. Linear cost in time, by a running d x m matrix; nothing L x L is made.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

// q, k: N x h x L x d, v: N x h x L x m; the result is N x h x L x m. With `reverse` the sum is over j >= i.
Var causal_product(const Var& q, const Var& k, const Var& v, bool reverse = false);

}  // namespace fovea
