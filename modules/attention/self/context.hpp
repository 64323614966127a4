// Context modelling of GCNet: the map averaged over its positions with one attention map for all, Cao et al. 2019, arXiv:1904.11492.
#pragma once

#include "modules/attention/self/tokens.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/softmax.hpp"

namespace fovea {

// logits N x 1 x H x W -> N x 1 x H x W of sum 1 each.
inline Var softmax_places(const Var& logits) { return reshape(softmax(reshape(logits, {logits.dim(0), -1}), 1), logits.shape()); }

// sum over positions of weights (N x 1 x H x W) times x (N x C x H x W): N x C.
inline Var weighted_mean(const Var& x, const Var& weights) {
  const Var row = reshape(weights, {x.dim(0), 1, x.dim(2) * x.dim(3)});
  return reshape(matmul(row, to_tokens(x)), {x.dim(0), x.dim(1)});
}

}  // namespace fovea
