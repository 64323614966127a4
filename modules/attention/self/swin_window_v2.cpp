// Window attention of Swin v2: softmax(cos(q, k) exp(min(logit_scale, ln 100)) + 16 sigmoid(MLP(offset)) + mask) v, the MLP over
// offsets on a logarithmic scale. Liu et al. 2022, arXiv:2111.09883. Inputs as swin_window's.
// Parameters logit_scale (heads x 1 x 1), q_bias, v_bias (keys have none), cpb_mlp.0 (weight, bias), cpb_mlp.2.weight, qkv.weight,
// proj: weight, bias. Taps "attention": M x heads x area x area; "attention_mean".
#include <cmath>

#include "modules/attention/self/heads.hpp"
#include "modules/attention/self/window_attention.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/l2_normalize.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/take.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

constexpr std::int64_t kHidden = 512;  // of the MLP over offsets

class SwinWindowV2 final : public WindowAttention {
 public:
  SwinWindowV2(const Scope& s, std::int64_t c, const WindowOptions& o)
      : WindowAttention(s, c, o),
        logit_scale_(s.param("logit_scale", {o.heads, 1, 1}, init::constant(std::log(10.0)))),
        first_(s / "cpb_mlp" / 0, {.in = 2, .out = kHidden, .init = init::truncated_normal(0.02)}),
        second_(s / "cpb_mlp" / 2, {.in = kHidden, .out = o.heads, .bias = false, .init = init::truncated_normal(0.02)}),
        weight_((s / "qkv").param("weight", {3 * c, c}, init::truncated_normal(0.02))) {
    if (!o.qkv_bias) return;
    q_bias_ = s.param("q_bias", {c}, init::zeros());
    v_bias_ = s.param("v_bias", {c}, init::zeros());
  }

 protected:
  WindowHeads heads(const Var& x, Extent window) const override {
    const std::int64_t c = x.dim(2), h = options_.heads;
    const Vars parts = split(linear(x, weight_, bias()), 2, {c, c, c});
    const Var q = l2_normalize(split_heads(parts[0], h), 3), k = l2_normalize(split_heads(parts[1], h), 3);
    const Var sharp = exp(clamp(logit_scale_, -std::numeric_limits<double>::infinity(), std::log(100.0)));
    AttentionOptions o;
    o.scale = 1;
    return {q * sharp, k, split_heads(parts[2], h), positions(window), o};
  }

 private:
  Var bias() const {
    if (!q_bias_.defined()) return {};
    return concat({q_bias_, scale(q_bias_, 0), v_bias_}, 0);
  }

  // heads x area x area.
  Var positions(Extent window) const {
    const Extent& given = options_.pretrained;
    const Extent trained{given.rows > 0 ? given.rows : options_.window.rows,
                         given.columns > 0 ? given.columns : options_.window.columns};
    const Tensor& typed = logit_scale_.state()->value;  // without one while shapes are traced
    const Tensor offsets = log_offsets(options_.window, trained).to(typed.defined() ? typed.dtype() : DType::f32);
    const Var table = second_(relu(first_(Var(offsets))));
    return scale(sigmoid(permute(embedding(table, relative_positions(window, options_.window)), {2, 0, 1})), 16);
  }

  Var logit_scale_;
  Linear first_, second_;
  Var weight_, q_bias_, v_bias_;
};

}  // namespace

std::unique_ptr<WindowAttention> window_attention_v2(const Scope& s, std::int64_t c, const WindowOptions& o) {
  return std::make_unique<SwinWindowV2>(s, c, o);
}

FOVEA_PART(swin_window_v2, "cosine attention within windows with biases made by an MLP", "Liu et al. 2022, arXiv:2111.09883") {
  return window_attention_v2(scope, channels, window_options(args, channels, 2, "swin_window_v2"));
}

}  // namespace fovea
