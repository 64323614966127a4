#include "modules/nn/soft_attention.hpp"

#include "modules/nn/masked_softmax.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/reshape.hpp"

namespace fovea {

SoftAttention::SoftAttention(const Scope& scope, const Options& o)
    : encoder_(scope / "encoder_att", {.in = o.features, .out = o.width}),
      decoder_(scope / "decoder_att", {.in = o.state, .out = o.width}),
      full_(scope / "full_att", {.in = o.width, .out = 1}),
      act_(activation(o.act, "soft_attention")) {}

Var SoftAttention::scores(const Var& keys, const Var& state) const {
  const Var query = reshape(decoder_(state), {state.dim(0), 1, keys.dim(2)});
  return reshape(full_(act_(keys + query)), {keys.dim(0), keys.dim(1)});
}

Var SoftAttention::weights_of(const Var& scores, const Var& keep) { return masked_softmax(scores, keep); }

Var SoftAttention::context(const Var& features, const Var& weights) {
  const Var row = reshape(weights, {weights.dim(0), 1, weights.dim(1)});
  return reshape(matmul(row, features), {features.dim(0), features.dim(2)});
}

Var doubly_stochastic(const Var& alphas, Stochastic over) {
  check(alphas.shape().rank() == 3, "doubly_stochastic: expected weights N x T x L, got ", alphas.shape());
  const Var missing = scale(sum(alphas, {1}, false), -1, 1);
  const Var squares = missing * missing;
  return over == Stochastic::mean ? mean(squares, {0, 1}, false) : mean(sum(squares, {1}, false), {0}, false);
}

}  // namespace fovea
