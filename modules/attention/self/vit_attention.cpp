// Self-attention of vision transformers: q, k, v from one linear layer, y = proj(softmax(q k^T / sqrt(d)) v).
// Dosovitskiy et al. 2021, arXiv:2010.11929, with timm's names and options. Inputs: tokens N x L x C, and perhaps a mask that
// repeats to N x heads x L x L: booleans (true: may attend) or values that are added.
// Parameters qkv, proj: weight, bias; q_norm, k_norm (with qk_norm) and norm (with scale_norm): weight, bias.
// Taps "attention": N x heads x L x L; "attention_mean"; "received".
#include <optional>

#include "modules/attention/self/attend.hpp"
#include "modules/attention/self/heads.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/slice.hpp"

namespace fovea {
namespace {

struct Options {
  std::int64_t heads;
  bool qkv_bias, proj_bias, qk_norm, scale_norm;
  double eps, proj_drop;
  WeightDrop drop;
};

class VitAttention final : public Block {
 public:
  VitAttention(const Scope& s, std::int64_t c, const Options& o)
      : Block(s),
        options_(o),
        qkv_(s / "qkv", {.in = c, .out = 3 * c, .bias = o.qkv_bias}),
        proj_(s / "proj", {.in = c, .out = c, .bias = o.proj_bias}),
        proj_drop_(o.proj_drop) {
    if (o.qk_norm) q_norm_.emplace(s / "q_norm", c / o.heads, o.eps), k_norm_.emplace(s / "k_norm", c / o.heads, o.eps);
    if (o.scale_norm) norm_.emplace(s / "norm", c, o.eps);
  }

 protected:
  Vars forward(const Vars& in) const override {
    check(!in.empty() && in.size() <= 2 && in[0].shape().rank() == 3, "expected tokens N x L x C and perhaps a mask");
    const std::int64_t c = in[0].dim(2);
    const Vars parts = split(qkv_(in[0]), 2, {c, c, c});
    Var q = split_heads(parts[0], options_.heads), k = split_heads(parts[1], options_.heads);
    const Var v = split_heads(parts[2], options_.heads);
    if (q_norm_) q = (*q_norm_)(q), k = (*k_norm_)(k);
    Var y = merge_heads(attend(q, k, v, in.size() == 2 ? in[1] : Var(), {}, {}, options_.drop));
    if (norm_) y = (*norm_)(y);
    return {proj_drop_(proj_(y))};
  }

 private:
  Options options_;
  Linear qkv_, proj_;
  std::optional<LayerNorm> q_norm_, k_norm_, norm_;
  Dropout proj_drop_;
};

}  // namespace

FOVEA_TOKEN_BLOCK(vit_attention, "multi-head self-attention of vision transformers",
                  "Dosovitskiy et al. 2021, arXiv:2010.11929") {
  Options o;
  o.heads = args.get("heads", 1, "attention heads; they divide the channels");
  o.qkv_bias = args.get("qkv_bias", true, "bias of q, k and v");
  o.proj_bias = args.get("proj_bias", true, "bias of the last layer");
  o.qk_norm = args.get("qk_norm", false, "layer norm of each head's q and k");
  o.scale_norm = args.get("scale_norm", false, "layer norm before the last layer");
  o.eps = args.get("eps", 1e-5, "of the norms");
  o.drop.weights = args.get("attn_drop", 0.0, "dropout of the weights in training");
  o.drop.heads = args.get("head_drop", 0.0, "share of heads left out in training");
  o.proj_drop = args.get("proj_drop", 0.0, "dropout of the result in training");
  check(o.heads > 0 && channels % o.heads == 0, "vit_attention: expected heads that divide ", channels, " channels, got ",
        o.heads);
  o.drop.check_range("vit_attention");
  return std::make_unique<VitAttention>(scope, channels, o);
}

}  // namespace fovea
