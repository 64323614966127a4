// The heart of every dot-product block: weights times values, tiled while nobody looks at the weights.
#pragma once

#include "modules/attention/self/head_drop.hpp"
#include "modules/autograd/tap.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/attention.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"

namespace fovea {

// Dropout of the weights and of whole heads, in training.
struct WeightDrop {
  double weights = 0, heads = 0;
  void check_range(std::string_view what) const {
    check(weights >= 0 && weights < 1 && heads >= 0 && heads < 1, what, ": expected dropout in [0, 1), got ", weights, " and ",
          heads);
  }
};

// N x h x Lq x dv. Names the weights "attention" (N x h x Lq x Lk) and their mean over the heads "attention_mean" (N x Lq x Lk):
// what the values were multiplied with, dropout included. Only then are they ever held; the result is the same but for rounding.
// Their mean over the queries, what each key received, is "received" (N x h x 1 x Lk), unless `windowed`: it costs little, and
// holds nothing.
inline Var attend(const Var& q, const Var& k, const Var& v, const Var& mask = {}, const Var& bias = {},
                  const AttentionOptions& options = {}, const WeightDrop& drop = {}, bool windowed = false) {
  const bool mean_wanted = wants_tap("attention_mean"), received_wanted = !windowed && wants_tap("received");
  const bool explicit_weights = wants_tap("attention") || mean_wanted || (received_wanted && Dropping::random());
  if (!explicit_weights) {
    const auto dropout = Dropping::random() ? AttentionDropout{drop.weights, Dropping::random()} : AttentionDropout{};
    if (!received_wanted) return head_drop(attention(q, k, v, mask, bias, options, dropout), drop.heads);
    const Attended both = attention_received(q, k, v, mask, bias, options, dropout);
    tap("received", both.received);
    return head_drop(both.values, drop.heads);
  }
  Var w = head_drop(Dropout(drop.weights)(attention_weights(q, k, mask, bias, options)), drop.heads);
  w = tap("attention", w);
  if (received_wanted) tap("received", mean(w, {2}));
  if (mean_wanted) tap("attention_mean", mean(w, {1}, false));
  return matmul(w, v);
}

// softmax(factor q k^T) v over tokens N x L x d with one head: N x Lq x dv. Names the weights "attention", N x 1 x Lq x Lk.
inline Var attend_tokens(const Var& q, const Var& k, const Var& v, double factor) {
  const auto one_head = [](const Var& t) { return reshape(t, {t.dim(0), 1, t.dim(1), t.dim(2)}); };
  const Var a = one_head(q), b = one_head(k), c = one_head(v);
  AttentionOptions o;
  o.scale = factor;
  const Var y =
      wants_tap("attention") ? matmul(tap("attention", attention_weights(a, b, {}, {}, o)), c) : attention(a, b, c, {}, {}, o);
  return reshape(y, {q.dim(0), q.dim(1), v.dim(2)});
}

}  // namespace fovea
