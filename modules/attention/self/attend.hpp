// The heart of every dot-product block: weights times values, tiled while nobody looks at the weights.
#pragma once

#include "modules/attention/self/head_drop.hpp"
#include "modules/autograd/tap.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/attention.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/reduce.hpp"

namespace fovea {

// Dropout of the weights and of whole heads, in training.
struct WeightDrop {
  double weights = 0, heads = 0;
  bool active() const { return Training::active() && (weights > 0 || heads > 0); }
  void check_range(std::string_view what) const {
    check(weights >= 0 && weights < 1 && heads >= 0 && heads < 1, what, ": expected dropout in [0, 1), got ", weights, " and ",
          heads);
  }
};

// N x h x Lq x dv. Names the weights "attention" (N x h x Lq x Lk) and their mean over the heads "attention_mean" (N x Lq x Lk):
// what the values were multiplied with, dropout included. Only then, and where weights are dropped, are they ever held.
inline Var attend(const Var& q, const Var& k, const Var& v, const Var& mask = {}, const Var& bias = {},
                  const AttentionOptions& options = {}, const WeightDrop& drop = {}) {
  const bool mean_wanted = wants_tap("attention_mean");
  if (!wants_tap("attention") && !mean_wanted && !drop.active()) return attention(q, k, v, mask, bias, options);
  Var w = head_drop(Dropout(drop.weights)(attention_weights(q, k, mask, bias, options)), drop.heads);
  w = tap("attention", w);
  if (mean_wanted) tap("attention_mean", mean(w, {1}, false));
  return matmul(w, v);
}

}  // namespace fovea
