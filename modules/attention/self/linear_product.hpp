// Attention by feature maps, of linear cost: with queries q and keys k that are features already,
//   y_i = sum_j (q_i . k_j) v_j / (sum_j q_i . (k_j + inner_eps) + outer_eps),
// computed as q (k^T v), so that nothing L x S is made. Katharopoulos et al. 2020, arXiv:2006.16236.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

struct LinearProduct {
  double inner_eps = 0, outer_eps = 0;
  bool causal = false;  // place i sees keys 0..i: there are at least as many keys as queries
};

// q: N x h x L x d, k: N x h x S x d, v: N x h x S x m. The result is N x h x L x m.
Var linear_product(const Var& q, const Var& k, const Var& v, const LinearProduct& options);

// What each key received, on average over the queries: N x h x 1 x S. Linear cost too.
Var linear_received(const Var& q, const Var& k, const LinearProduct& options);

}  // namespace fovea
