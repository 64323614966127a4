// Transformer decoder layers, Vaswani et al. 2017, arXiv:1706.03762, with PyTorch's parameter names, that decode whole sequences
// or, with the keys and values of what came before kept, token by token at the same result.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "modules/nn/activations.hpp"
#include "modules/nn/layers.hpp"
#include "modules/nn/norms.hpp"

namespace fovea {

// What tokens look at: N x heads x S x d each; undefined: nothing yet.
struct KeyValues {
  Var keys, values;
  std::int64_t length() const { return keys.defined() ? keys.dim(2) : 0; }
};

// Multi-head attention whose keys and values can be kept. Parameters in_proj_weight (3C x C), in_proj_bias, out_proj: weight,
// bias.
class KeptAttention {
 public:
  struct Options {
    std::int64_t width = 0, heads = 1;
    double dropout = 0;  // of the weights, in training
  };
  KeptAttention(const Scope& scope, const Options& options);

  KeyValues project(const Var& tokens) const;                               // N x S x C
  static KeyValues append(const KeyValues& before, const KeyValues& more);  // one after the other
  // x N x L x C looks at what was kept. causal: the last of x sees all of it, the one before it all but one, ... mask: booleans N
  // x S (true: may attend), or undefined. Tap "attention": N x heads x L x S.
  Var operator()(const Var& x, const KeyValues& kept, bool causal, const Var& mask = {}) const;

 private:
  Var heads_of(const Var& x) const;

  std::string path_;
  Options o_;
  Var weight_, bias_;
  Linear out_;
};

class TransformerDecoderLayer {
 public:
  struct Options {
    std::int64_t width = 0, heads = 1, hidden = 2048;
    double dropout = 0.1, eps = 1e-5;
    bool norm_first = false;
    std::string activation = "relu";  // relu, gelu, ...
  };
  // Of one layer: the tokens so far, and the memory, which is projected once.
  struct Cache {
    KeyValues own, memory;
  };
  // Parameters self_attn, multihead_attn: KeptAttention's; linear1, linear2, norm1, norm2, norm3: weight, bias.
  TransformerDecoderLayer(const Scope& scope, const Options& options);

  Cache start(const Var& memory) const { return {{}, cross_.project(memory)}; }
  // The next tokens x N x L x C, which see each other causally and all before them; they join the cache.
  Var operator()(const Var& x, Cache& cache, const Var& memory_mask = {}) const;

 private:
  Options o_;
  KeptAttention own_, cross_;
  Linear linear1_, linear2_;
  LayerNorm norm1_, norm2_, norm3_;
  Dropout dropout_;
  Pointwise activation_;
};

// Layers one behind the other; parameters layers.0, layers.1, ... and, with `norm`, a last norm: weight, bias.
class TransformerDecoder {
 public:
  using Cache = std::vector<TransformerDecoderLayer::Cache>;
  TransformerDecoder(const Scope& scope, std::int64_t layers, const TransformerDecoderLayer::Options& options, bool norm = false);

  Cache start(const Var& memory) const;                                                // memory N x S x C
  Var step(const Var& x, Cache& cache, const Var& memory_mask = {}) const;             // the next tokens N x L x C
  Var operator()(const Var& x, const Var& memory, const Var& memory_mask = {}) const;  // all tokens at once

 private:
  std::vector<TransformerDecoderLayer> layers_;
  std::optional<LayerNorm> norm_;
};

}  // namespace fovea
