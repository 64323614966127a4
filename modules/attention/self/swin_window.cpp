// Window attention of Swin v1: softmax(q k^T / sqrt(d) + bias[relative position] + mask) v in windows of tokens.
// Liu et al. 2021, arXiv:2103.14030. Inputs: M x area x C, and perhaps a mask windows x area x area that is added (M a multiple).
// Parameters relative_position_bias_table ((2 rows - 1)(2 columns - 1) x heads), qkv, proj: weight, bias.
// Taps "attention": M x heads x area x area; "attention_mean".
#include "modules/attention/self/heads.hpp"
#include "modules/attention/self/window_attention.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/take.hpp"

namespace fovea {
namespace {

class SwinWindow final : public WindowAttention {
 public:
  SwinWindow(const Scope& s, std::int64_t c, const WindowOptions& o)
      : WindowAttention(s, c, o),
        table_(s.param("relative_position_bias_table", {(2 * o.window.rows - 1) * (2 * o.window.columns - 1), o.heads},
                       init::truncated_normal(0.02))),
        qkv_(s / "qkv", {.in = c, .out = 3 * c, .bias = o.qkv_bias, .init = init::truncated_normal(0.02)}) {}

 protected:
  WindowHeads heads(const Var& x, Extent window) const override {
    const std::int64_t c = x.dim(2), h = options_.heads;
    const Vars parts = split(qkv_(x), 2, {c, c, c});
    const Var bias = permute(embedding(table_, relative_positions(window, options_.window)), {2, 0, 1});
    AttentionOptions o;
    o.scale = options_.scale;
    return {split_heads(parts[0], h), split_heads(parts[1], h), split_heads(parts[2], h), bias, o};
  }

 private:
  Var table_;
  Linear qkv_;
};

}  // namespace

std::unique_ptr<WindowAttention> window_attention_v1(const Scope& s, std::int64_t c, const WindowOptions& o) {
  return std::make_unique<SwinWindow>(s, c, o);
}

FOVEA_PART(swin_window, "attention within windows with biases of relative positions", "Liu et al. 2021, arXiv:2103.14030") {
  return window_attention_v1(scope, channels, window_options(args, channels, 1, "swin_window"));
}

}  // namespace fovea
