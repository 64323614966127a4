// Multi-head attention with its residual and its norm inside, y = LN(fc(softmax(q k^T / sqrt(d_k)) v) + x_q), as the encoder and
// decoder layers of Vaswani et al. 2017, arXiv:1706.03762, and jadore801120's port of them.
// Inputs: tokens x; x and what it looks at; or q, k, v; then perhaps a boolean mask N x Lq x Lk (true: may attend), which leaves
// -1e9 where it forbids. Parameters w_qs, w_ks, w_vs, fc: weight (and bias if wanted); layer_norm: weight, bias.
// Taps "attention": N x heads x Lq x Lk; "attention_mean"; "received".
#include "modules/attention/self/attend.hpp"
#include "modules/attention/self/heads.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"

namespace fovea {
namespace {

struct Options {
  std::int64_t heads, keys, values;
  bool bias, residual;
  double eps, masked, dropout;
  WeightDrop drop;
};

class PostNormAttention final : public Block {
 public:
  PostNormAttention(const Scope& s, std::int64_t c, const Options& o)
      : Block(s),
        options_(o),
        query_(s / "w_qs", {.in = c, .out = o.heads * o.keys, .bias = o.bias}),
        key_(s / "w_ks", {.in = c, .out = o.heads * o.keys, .bias = o.bias}),
        value_(s / "w_vs", {.in = c, .out = o.heads * o.values, .bias = o.bias}),
        out_(s / "fc", {.in = o.heads * o.values, .out = c, .bias = o.bias}),
        norm_(s / "layer_norm", c, o.eps),
        dropout_(o.dropout) {}

 protected:
  Vars forward(const Vars& in) const override {
    check(!in.empty() && in.size() <= 4, "expected q, k, v and perhaps a mask, got ", in.size(), " values");
    for (std::size_t i = 0; i < std::min<std::size_t>(3, in.size()); ++i)
      check(in[i].shape().rank() == 3, "expected tokens N x L x C, got ", in[i].shape());
    const Var& k = in.size() > 1 ? in[1] : in[0];
    const Var& v = in.size() > 2 ? in[2] : k;
    Var mask = in.size() > 3 ? in[3] : Var();
    if (mask.defined() && mask.shape().rank() == 3) mask = reshape(mask, {mask.dim(0), 1, mask.dim(1), mask.dim(2)});
    AttentionOptions o;
    o.masked = options_.masked;
    const Var y = attend(split_heads(query_(in[0]), options_.heads), split_heads(key_(k), options_.heads),
                         split_heads(value_(v), options_.heads), mask, {}, o, options_.drop);
    const Var z = dropout_(out_(merge_heads(y)));
    return {norm_(options_.residual ? z + in[0] : z)};
  }

 private:
  Options options_;
  Linear query_, key_, value_, out_;
  LayerNorm norm_;
  Dropout dropout_;
};

}  // namespace

FOVEA_TOKEN_BLOCK(post_norm_attention, "multi-head attention, residual and norm in one",
                  "Vaswani et al. 2017, arXiv:1706.03762") {
  Options o;
  o.heads = args.get("heads", 1, "attention heads");
  check(o.heads > 0, "post_norm_attention: expected at least one head, got ", o.heads);
  o.keys = args.get("d_k", 0, "width of a head's queries and keys; 0: channels / heads");
  o.values = args.get("d_v", 0, "width of a head's values; 0: channels / heads");
  check((o.keys > 0 && o.values > 0) || channels % o.heads == 0, "post_norm_attention: ", channels,
        " channels do not divide into ", o.heads, " heads; set heads, or d_k and d_v");
  if (o.keys <= 0) o.keys = channels / o.heads;
  if (o.values <= 0) o.values = channels / o.heads;
  o.bias = args.get("bias", false, "bias of the four layers");
  o.residual = args.get("residual", true, "adds the queries' tokens before the norm");
  o.eps = args.get("eps", 1e-6, "of the norm");
  o.masked = args.get("masked", -1e9, "what a forbidden score becomes");
  o.dropout = args.get("dropout", 0.0, "dropout of the result in training");
  o.drop.weights = args.get("attn_drop", 0.0, "dropout of the weights in training");
  o.drop.heads = args.get("head_drop", 0.0, "share of heads left out in training");
  o.drop.check_range("post_norm_attention");
  return std::make_unique<PostNormAttention>(scope, channels, o);
}

}  // namespace fovea
