// Global context as timm has it: ctx = sum_j softmax(conv_attn x)_j x_j; y = x gate(mlp_scale(ctx)) + mlp_add(ctx), with
// mlp = fc2(relu(layer_norm(fc1 ctx))), eps 1e-6; only the scale by default. After Cao et al. 2019, arXiv:1904.11492.
// Parameters conv_attn, mlp_scale.{fc1, norm, fc2}, mlp_add.{fc1, norm, fc2}: weight, bias.
// Taps "spatial": N x 1 x H x W, the weights of the positions (sum 1); "channel": N x C x 1 x 1, the gate.
#include <algorithm>
#include <optional>

#include "modules/attention/self/context.hpp"
#include "modules/core/whole.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

// N x C -> N x C.
class ContextMlp {
 public:
  ContextMlp(const Scope& s, std::int64_t c, std::int64_t inner, bool zero)
      : fc1_(s / "fc1", {.in = c, .out = inner}),
        norm_(s / "norm", inner, 1e-6),
        fc2_(zero ? (s / "fc2").starting("bias", {c}, init::zeros()) : s / "fc2",
             {.in = inner, .out = c, .init = zero ? init::zeros() : Init()}) {}
  Var operator()(const Var& context) const { return fc2_(relu(norm_(fc1_(context)))); }

 private:
  Linear fc1_;
  LayerNorm norm_;
  Linear fc2_;
};

class GlobalContext final : public MapBlock {
 public:
  struct Options {
    std::int64_t inner;
    bool attention, add, scale, hard, zero;
  };
  GlobalContext(const Scope& s, std::int64_t c, const Options& o) : MapBlock(s), hard_(o.hard) {
    if (o.attention) attention_.emplace(s / "conv_attn", Conv2d::Options{.in = c, .out = 1, .init = init::kaiming_normal()});
    if (o.add) add_.emplace(s / "mlp_add", c, o.inner, true);
    if (o.scale) scale_.emplace(s / "mlp_scale", c, o.inner, o.zero);
  }

 protected:
  Var forward(const Var& x) const override {
    const Var context = attention_ ? weighted_mean(x, tap("spatial", softmax_places((*attention_)(x)))) : mean(x, {2, 3}, false);
    const Shape gate{x.dim(0), x.dim(1), 1, 1};
    Var y = x;
    if (scale_) {
      const Var logits = reshape((*scale_)(context), gate);
      y = y * tap("channel", hard_ ? hard_sigmoid(logits) : sigmoid(logits));
    }
    return add_ ? y + reshape((*add_)(context), gate) : y;
  }

 private:
  bool hard_;
  std::optional<Conv2d> attention_;
  std::optional<ContextMlp> add_, scale_;
};

// timm's width rule with its rounding limit at 0.
std::int64_t divisible(double width, std::int64_t by) {
  return std::max(by, whole(width + static_cast<double>(by) / 2, "global_context: channels * rd_ratio") / by * by);
}

}  // namespace

FOVEA_BLOCK(global_context, "one global context that scales the channels (timm)", "Cao et al. 2019, arXiv:1904.11492") {
  const double ratio = args.get("rd_ratio", 1.0 / 8, "width of the transform as a share of the channels");
  const int inner = args.get("rd_channels", 0, "width of the transform; 0: channels * rd_ratio, rounded to rd_divisor");
  const int divisor = args.get("rd_divisor", 1, "rd_channels is a multiple of it");
  check(divisor > 0 && inner >= 0, "global_context: expected rd_divisor above 0 and rd_channels 0 or more");
  const std::string gate = args.get("gate", "sigmoid", "of the scale: sigmoid or hard_sigmoid");
  check(gate == "sigmoid" || gate == "hard_sigmoid", "global_context: expected gate sigmoid or hard_sigmoid, got '", gate, "'");
  GlobalContext::Options o{.inner = inner > 0 ? inner : divisible(static_cast<double>(channels) * ratio, divisor),
                           .attention = args.get("use_attn", true, "weigh the positions; else their plain mean"),
                           .add = args.get("fuse_add", false, "add a transform of the context"),
                           .scale = args.get("fuse_scale", true, "multiply by a gate made of the context"),
                           .hard = gate == "hard_sigmoid",
                           .zero = args.get("init_last_zero", false, "the gate starts at sigmoid(0) for all channels")};
  check(o.add || o.scale, "global_context: expected fuse_scale or fuse_add, got neither");
  return std::make_unique<GlobalContext>(scope, channels, o);
}

}  // namespace fovea
