// Multi-head attention, y = out_proj(concat of heads softmax(q k^T / sqrt(d) + masks) v), as PyTorch's nn.MultiheadAttention.
// Vaswani et al. 2017, arXiv:1706.03762.
// Inputs: tokens x; x and what it looks at; or query, key, value; then key_padding_mask (N x S) and attn_mask (L x S or
// N heads x L x S), either absent: booleans (true: forbidden) or values that are added. Tokens are N x L x C (L x N x C without
// batch_first), or L x C alone.
// Parameters in_proj_weight, or q_proj_weight, k_proj_weight, v_proj_weight where kdim or vdim differ; in_proj_bias; bias_k, bias_v;
// out_proj: weight, bias. Taps "attention": N x heads x L x S (with the columns that bias_k and zero attention add);
// "attention_mean": N x L x S; "received": N x heads x 1 x S.
#include "modules/attention/self/attend.hpp"
#include "modules/attention/self/heads.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/additive_mask.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/expand.hpp"
#include "modules/ops/pad.hpp"
#include "modules/ops/slice.hpp"

namespace fovea {
namespace {

constexpr double kForbidden = -std::numeric_limits<double>::infinity();

struct Options {
  std::int64_t heads, kdim, vdim;
  bool bias, bias_kv, zero_attn, batch_first, causal;
  WeightDrop drop;
};

class MultiHead final : public Block {
 public:
  MultiHead(const Scope& s, std::int64_t c, const Options& o)
      : Block(s),
        options_(o),
        out_(o.bias ? (s / "out_proj").starting("bias", {c}, init::zeros()) : s / "out_proj",
             {.in = c, .out = c, .bias = o.bias}) {
    if (o.kdim == c && o.vdim == c) {
      packed_ = s.param("in_proj_weight", {3 * c, c}, init::xavier_uniform());
    } else {
      query_ = s.param("q_proj_weight", {c, c}, init::xavier_uniform());
      key_ = s.param("k_proj_weight", {c, o.kdim}, init::xavier_uniform());
      value_ = s.param("v_proj_weight", {c, o.vdim}, init::xavier_uniform());
    }
    if (o.bias) bias_ = s.param("in_proj_bias", {3 * c}, init::zeros());
    if (!o.bias_kv) return;
    bias_k_ = s.param("bias_k", {1, 1, c}, init::xavier_normal());
    bias_v_ = s.param("bias_v", {1, 1, c}, init::xavier_normal());
  }

 protected:
  Vars forward(const Vars& in) const override {
    check(!in.empty() && in.size() <= 5 && in[0].defined(), "expected query, key, value and two masks at most, got ", in.size(),
          " values");
    const auto given = [&](std::size_t i) { return i < in.size() && in[i].defined(); };
    const Var& key = given(1) ? in[1] : in[0];
    const Var& value = given(2) ? in[2] : key;
    Vars qkv = projected(tokens(in[0]), tokens(key), tokens(value));
    Var mask = masks(given(3) ? in[3] : Var(), given(4) ? in[4] : Var(), qkv[0], qkv[1]);
    const std::int64_t added = extend(qkv, mask);
    AttentionOptions o;
    o.causal = options_.causal && added == 0;
    if (options_.causal && added > 0) mask = join(mask, triangle(qkv[0].dim(1), qkv[1].dim(1), added));
    const std::int64_t h = options_.heads;
    const Var y = attend(split_heads(qkv[0], h), split_heads(qkv[1], h), split_heads(qkv[2], h), mask, {}, o, options_.drop);
    return {back(out_(merge_heads(y)), in[0].shape())};
  }

 private:
  Var tokens(const Var& x) const {
    check(x.shape().rank() == 2 || x.shape().rank() == 3, "expected tokens N x L x C or L x C, got ", x.shape());
    if (x.shape().rank() == 2) return reshape(x, {1, x.dim(0), x.dim(1)});
    return options_.batch_first ? x : permute(x, {1, 0, 2});
  }
  Var back(const Var& y, const Shape& shape) const {
    if (shape.rank() == 2) return reshape(y, shape);
    return options_.batch_first ? y : permute(y, {1, 0, 2});
  }

  // q, k and v of N x L x C. What comes from one tensor is computed in one product.
  Vars projected(const Var& q, const Var& k, const Var& v) const {
    const std::int64_t c = q.dim(2);
    if (packed_.defined() && q.state() == k.state() && k.state() == v.state())
      return split(linear(q, packed_, bias_), 2, {c, c, c});
    Vars weights{query_, key_, value_}, biases(3), out;
    if (packed_.defined()) weights = split(packed_, 0, {c, c, c});
    if (bias_.defined()) biases = split(bias_, 0, {c, c, c});
    for (std::size_t i = 0; i < 3; ++i) out.push_back(linear(i == 0 ? q : i == 1 ? k : v, weights[i], biases[i]));
    return out;
  }

  static Var join(const Var& a, const Var& b) { return a.defined() && b.defined() ? a + b : a.defined() ? a : b; }

  // Both masks as one, of values that repeat to N x heads x L x S.
  Var masks(const Var& padding, const Var& scores, const Var& q, const Var& k) const {
    const std::int64_t n = q.dim(0), l = q.dim(1), s = k.dim(1);
    Var a, b;
    if (padding.defined()) {
      check(padding.shape() == Shape{n, s} || (n == 1 && padding.shape() == Shape{s}), "expected a key_padding_mask ",
            Shape{n, s}, ", got ", padding.shape());
      a = additive_mask(reshape(padding, {n, 1, 1, s}), kForbidden, 0);
    }
    if (scores.defined()) {
      const bool one = scores.shape() == Shape{l, s};
      check(one || scores.shape() == Shape{n * options_.heads, l, s}, "expected an attn_mask ", Shape{l, s}, " or ",
            Shape{n * options_.heads, l, s}, ", got ", scores.shape());
      b = additive_mask(reshape(scores, {one ? 1 : n, one ? 1 : options_.heads, l, s}), kForbidden, 0);
    }
    return join(a, b);
  }

  // The keys that everybody may look at besides: bias_k with bias_v, and a key and value of zeros.
  std::int64_t extend(Vars& qkv, Var& mask) const {
    const std::int64_t n = qkv[1].dim(0), c = qkv[1].dim(2);
    std::int64_t added = 0;
    if (bias_k_.defined()) {
      qkv[1] = concat({qkv[1], expand(bias_k_, {n, 1, c})}, 1);
      qkv[2] = concat({qkv[2], expand(bias_v_, {n, 1, c})}, 1);
      ++added;
    }
    if (options_.zero_attn) {
      for (const std::size_t i : {1, 2}) qkv[i] = pad(qkv[i], {0, 0, 0}, {0, 1, 0});
      ++added;
    }
    if (mask.defined() && added > 0) mask = pad(mask, {0, 0, 0, 0}, {0, 0, 0, added});
    return added;
  }

  static Var triangle(std::int64_t rows, std::int64_t columns, std::int64_t added) {
    Tensor t = Tensor::zeros({1, 1, rows, columns});
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = i + 1; j < columns - added; ++j) t.data<float>()[i * columns + j] = static_cast<float>(kForbidden);
    return t;
  }

  Options options_;
  Linear out_;
  Var packed_, query_, key_, value_, bias_, bias_k_, bias_v_;
};

}  // namespace

FOVEA_TOKEN_BLOCK(multi_head, "multi-head attention, self or cross, with all of PyTorch's options",
                  "Vaswani et al. 2017, arXiv:1706.03762") {
  Options o;
  o.heads = args.get("heads", 1, "attention heads; they divide the channels");
  o.kdim = args.get("kdim", 0, "channels of the keys' tokens; 0: as the queries'");
  o.vdim = args.get("vdim", 0, "channels of the values' tokens; 0: as the queries'");
  o.bias = args.get("bias", true, "bias of all projections");
  o.bias_kv = args.get("add_bias_kv", false, "a trained key and value beside the given ones");
  o.zero_attn = args.get("add_zero_attn", false, "a key and value of zeros beside the given ones");
  o.batch_first = args.get("batch_first", true, "tokens are N x L x C, not L x N x C");
  o.causal = args.get("causal", false, "each token sees itself and what came before");
  o.drop.weights = args.get("dropout", 0.0, "dropout of the weights in training");
  o.drop.heads = args.get("head_drop", 0.0, "share of heads left out in training");
  check(o.heads > 0 && channels % o.heads == 0, "multi_head: expected heads that divide ", channels, " channels, got ", o.heads);
  o.drop.check_range("multi_head");
  if (o.kdim <= 0) o.kdim = channels;
  if (o.vdim <= 0) o.vdim = channels;
  return std::make_unique<MultiHead>(scope, channels, o);
}

}  // namespace fovea
