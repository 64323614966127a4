// Soft attention over places of a picture, Xu et al. 2015, arXiv:1502.03044 (Show, Attend and Tell): with features a_i and a
// state h, e_i = f(act(W_a a_i + W_h h)), alpha = softmax over i of e, context = sum alpha_i a_i. For decoders, which look many
// times at one picture.
#pragma once

#include <string>

#include "modules/nn/activations.hpp"
#include "modules/nn/layers.hpp"

namespace fovea {

// Parameters encoder_att, decoder_att, full_att: weight, bias.
class SoftAttention {
 public:
  struct Options {
    std::int64_t features = 0, state = 0, width = 0;
    std::string act = "relu";  // sgrvinod's; tanh in the paper
  };
  SoftAttention(const Scope& scope, const Options& options);
  Var keys(const Var& features) const { return encoder_(features); }  // N x L x E -> N x L x width, once a picture
  Var scores(const Var& keys, const Var& state) const;                // N x L, the softmax of which are the weights
  static Var weights_of(const Var& scores, const Var& keep = {});
  // N x L: the weights. keep: booleans N x L (true: may attend), or undefined.
  Var weights(const Var& keys, const Var& state, const Var& keep = {}) const { return weights_of(scores(keys, state), keep); }
  static Var context(const Var& features, const Var& weights);  // N x E

 private:
  Linear encoder_, decoder_, full_;
  Pointwise act_;
};

// What keeps a decoder looking everywhere in the end: (1 - sum over steps of the weights)^2 of alphas N x T x L, averaged over
// samples and places as sgrvinod's code does or, as in the paper, summed over places and averaged over samples.
enum class Stochastic : std::uint8_t { mean, sum };
Var doubly_stochastic(const Var& alphas, Stochastic over = Stochastic::mean);

}  // namespace fovea
