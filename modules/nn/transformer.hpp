// Transformer decoder layers, Vaswani et al. 2017, arXiv:1706.03762, with PyTorch's parameter names, that decode whole sequences
// or, with the keys and values of what came before kept, token by token at the same result.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "modules/nn/activations.hpp"
#include "modules/nn/layers.hpp"
#include "modules/nn/norms.hpp"
#include "modules/ops/attention.hpp"

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
  // x S (true: may attend), or undefined. Tap "attention": N x heads x L x S; `weights`, unless null, becomes it, too.
  Var operator()(const Var& x, const KeyValues& kept, bool causal, const Var& mask = {}, Var* weights = nullptr) const;
  // One token x N x 1 x C, `hidden` as KeptRoom has it.
  Var operator()(const Var& x, const KeyValues& kept, const Var& hidden) const;

 private:
  Var heads_of(const Var& x) const;
  Var look(const Var& x, const KeyValues& kept, const Var& mask, const AttentionOptions& options, Var* weights) const;

  std::string path_;
  Options o_;
  Var weight_, bias_;
  Linear out_;
};

// Room for a number of tokens that does not change, as a compiled plan needs it: keys and values are N x heads x room x d, 0 where no token is yet.
struct KeptRoom {
  Var at;      // 1 x 1 x room x 1: 1 where the next token goes, else 0
  Var hidden;  // 1 x 1 x 1 x room, added to scores: 0 up to that token, hugely negative behind it
  // Of the token at place `at` of `room`.
  static KeptRoom of(std::int64_t at, std::int64_t room);
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
  // The next tokens x N x L x C, which see each other causally and all before them; they join the cache. `weights`, unless null,
  // becomes what they saw of the memory: N x heads x L x S.
  Var operator()(const Var& x, Cache& cache, const Var& memory_mask = {}, Var* weights = nullptr) const;
  // One token x N x 1 x C, where the cache has room for all that come.
  Var operator()(const Var& x, Cache& cache, const KeptRoom& room, Var* weights = nullptr) const;

 private:
  using Look = std::function<Var(const Var&)>;
  Var through(const Var& x, const Look& own, const Look& cross) const;

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

  Cache start(const Var& memory) const;  // memory N x S x C
  // The next tokens N x L x C; `weights`, unless null, takes what each layer's heads saw of the memory.
  Var step(const Var& x, Cache& cache, const Var& memory_mask = {}, Vars* weights = nullptr) const;
  Var step(const Var& x, Cache& cache, const KeptRoom& room, Vars* weights = nullptr) const;  // one token, in caches with room
  Var operator()(const Var& x, const Var& memory, const Var& memory_mask = {}) const;         // all tokens at once

 private:
  using One =
      std::function<Var(const TransformerDecoderLayer& layer, const Var& x, TransformerDecoderLayer::Cache& cache, Var* weights)>;
  Var through(const Var& x, Cache& cache, Vars* weights, const One& one) const;

  std::vector<TransformerDecoderLayer> layers_;
  std::optional<LayerNorm> norm_;
};

}  // namespace fovea
