// Energies of entries (keys) for outputs (queries) by heads, as neural_sp computes them for monotonic and chunkwise attention:
//   scaled_dot: q . k / sqrt(adim) per head, with the root of the whole width;  add: v . relu(W_k k + W_q q), a score per head.
#pragma once

#include <optional>
#include <string>

#include "modules/attention/monotonic/normed.hpp"
#include "modules/nn/layers.hpp"

namespace fovea {

class HeadEnergy {
 public:
  struct Options {
    std::int64_t keys = 0, queries = 0, width = 0, heads = 1;
    bool add = false, bias = true;
    bool xavier = false;     // weights start as in fairseq's attention, biases at 0
    bool monotonic = false;  // weight-normed v, a trained offset r, perhaps a convolution of the keys
    double r = -4;           // at first
    bool conv = false;       // keys pass through relu(convolution over 5 entries)
  };
  // Parameters w_key, w_query: weight, bias (of `add`: only w_key has one, always); with `add` v.weight, or v.weight_g and
  // v.weight_v; r (1); conv1d.weight (E x E x 5), conv1d.bias.
  HeadEnergy(const Scope& scope, const Options& options);
  // key N x S x E, query N x L x D -> N x heads x L x S. keep: booleans that repeat to it (true: may attend), or undefined; the
  // rest becomes the lowest f32.
  Var operator()(const Var& key, const Var& query, const Var& keep) const;

 private:
  Var convolved(const Var& key) const;

  Options o_;
  Linear key_, query_;
  std::optional<NormedLinear> normed_;
  std::optional<Linear> plain_;
  Var r_, conv_weight_, conv_bias_;
};

}  // namespace fovea
