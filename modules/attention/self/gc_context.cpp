// Global context block of GCNet: ctx = sum_j softmax(conv_mask x)_j x_j; y = x sigmoid(t_mul(ctx)) + t_add(ctx), where
// t = conv(relu(layer_norm(conv ctx))) through P = channels * ratio. Cao et al. 2019, arXiv:1904.11492, as in mmcv.
// Parameters conv_mask, channel_add_conv.{0, 1, 3}, channel_mul_conv.{0, 1, 3}: weight, bias; those of 1 are P x 1 x 1.
// Taps "spatial": N x 1 x H x W, the weights of the positions (sum 1); "channel": N x C x 1 x 1, the multiplying gate.
#include <algorithm>
#include <optional>

#include "modules/attention/self/context.hpp"
#include "modules/core/whole.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/layer_norm.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

// N x C -> N x C.
class Transform {
 public:
  Transform(const Scope& s, std::int64_t c, std::int64_t inner)
      : reduce_(s / 0, {.in = c, .out = inner}),
        expand_((s / 3).starting("bias", {c}, init::zeros()), {.in = inner, .out = c, .init = init::zeros()}),
        weight_((s / 1).param("weight", {inner, 1, 1}, init::ones())),
        bias_((s / 1).param("bias", {inner, 1, 1}, init::zeros())) {}

  Var operator()(const Var& context) const {
    const Shape row{weight_.dim(0)};
    return expand_(relu(layer_norm(reduce_(context), reshape(weight_, row), reshape(bias_, row))));
  }

 private:
  Linear reduce_, expand_;
  Var weight_, bias_;
};

class GcContext final : public MapBlock {
 public:
  struct Options {
    std::int64_t inner;
    bool attention, add, mul;
  };
  GcContext(const Scope& s, std::int64_t c, const Options& o) : MapBlock(s) {
    if (o.attention) mask_.emplace(s / "conv_mask", Conv2d::Options{.in = c, .out = 1, .init = init::kaiming_normal()});
    if (o.add) add_.emplace(s / "channel_add_conv", c, o.inner);
    if (o.mul) mul_.emplace(s / "channel_mul_conv", c, o.inner);
  }

 protected:
  Var forward(const Var& x) const override {
    const Var context = mask_ ? weighted_mean(x, tap("spatial", softmax_places((*mask_)(x)))) : mean(x, {2, 3}, false);
    const Shape gate{x.dim(0), x.dim(1), 1, 1};
    Var y = x;
    if (mul_) y = y * tap("channel", reshape(sigmoid((*mul_)(context)), gate));
    if (add_) y = y + reshape((*add_)(context), gate);
    return y;
  }

 private:
  std::optional<Conv2d> mask_;
  std::optional<Transform> add_, mul_;
};

}  // namespace

FOVEA_BLOCK(gc_context, "one global context for all positions, added or multiplied", "Cao et al. 2019, arXiv:1904.11492") {
  const double ratio = args.get("ratio", 1.0 / 16, "width of the transform as a share of the channels");
  const std::string pooling = args.get("pooling", "att", "of the positions: att (one attention map) or avg");
  check(pooling == "att" || pooling == "avg", "gc_context: expected pooling att or avg, got '", pooling, "'");
  const auto fusion = args.list("fusion", std::vector<std::string>{"channel_add"}, "channel_add, channel_mul or both");
  check(!fusion.empty(), "gc_context: expected at least one fusion, channel_add or channel_mul, got none");
  GcContext::Options o{std::max<std::int64_t>(1, whole(static_cast<double>(channels) * ratio, "gc_context: channels * ratio")),
                       pooling == "att", false, false};
  for (const std::string& f : fusion) {
    check(f == "channel_add" || f == "channel_mul", "gc_context: expected fusion channel_add or channel_mul, got '", f, "'");
    (f == "channel_add" ? o.add : o.mul) = true;
  }
  return std::make_unique<GcContext>(scope, channels, o);
}

}  // namespace fovea
