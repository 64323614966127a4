// The positive features of Performer's softmax kernel, Choromanski et al. 2020, arXiv:2009.14794, equation 7:
// y = (exp(u - h - max u) + eps) / sqrt(m) for projections u (... x L x m) and half squared norms h (... x L x 1).
// The maximum only keeps numbers small: it cancels in attention, and as in the published code no gradient goes through it.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

// `whole`: one maximum over the last two axes, for keys, whose features must share one factor; else one for each row.
Var positive_features(const Var& u, const Var& h, double eps = 1e-4, bool whole = false);

}  // namespace fovea
