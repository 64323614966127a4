// Sums over pairs weighted by relu(a_i + b_j), as in the concatenation form of Wang et al. 2018, arXiv:1711.07971.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

// y_i = sum_j relu(a_i + b_j) v_j. a: N x L, b: N x S, v: N x S x C; result N x L x C. The L x S weights are never there and the cost
// is (L + S) C: with the b_j in order, those that meet an a_i are the largest ones, so that running sums of v_j and of b_j v_j
// give a_i sum v_j + sum b_j v_j. Sums in double; where a_i + b_j = 0 the gradient is 0, as relu's.
Var relu_pairs(const Var& a, const Var& b, const Var& v);

}  // namespace fovea
