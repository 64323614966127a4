// MobileNetV2: inverted residuals with linear bottlenecks. Sandler et al. 2018, arXiv:1801.04381. Parameter names are torchvision's:
// features.0.0, features.0.1, features.1.conv.0.0, ..., features.18.1. `padding: same` pads strided convolutions as TensorFlow does
// (the odd pixel after), which weights trained there need.
// Features: features.1 (stride 2), .3 (4), .6 (8), .13 (16), .17 (32) and .18, the widened last one; the other blocks' outputs are taps of
// the same kind. Slots of each block: its convolutions by
// path, post_expand, post_depthwise, pre_add, post_add; after_stem; after_stage behind each stage's last block.
#include <algorithm>
#include <cmath>

#include "modules/core/whole.hpp"
#include "modules/nn/backbone.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"

namespace fovea {
namespace {

// torchvision's rule: the nearest multiple of 8 that does not lose more than a tenth.
int rounded(double v) {
  const int r = std::max(8, whole<int>(v + 4, "mobilenet_v2: channels * width") / 8 * 8);
  return r < 0.9 * v ? r + 8 : r;
}

struct ConvNorm {
  ConvNorm(const Scope& s, std::int64_t in, std::int64_t out, int kernel, int stride, std::int64_t groups, bool same)
      : conv(s, "0",
             {.in = in,
              .out = out,
              .kernel = kernel,
              .stride = stride,
              .pad = kernel / 2,
              .groups = groups,
              .bias = false,
              .init = init::kaiming_normal(0, init::Fan::out),
              .same = same}),
        bn(s / 1, out) {}
  Var operator()(const Var& x) const { return bn.relu6(conv(x)); }
  ConvSlot conv;
  BatchNorm2d bn;
};

class InvertedResidual {
 public:
  InvertedResidual(const Scope& s, std::int64_t in, std::int64_t out, int stride, int expand, bool same)
      : residual_(stride == 1 && in == out),
        expanded_(in * expand),
        post_expand_(s, "post_expand", expanded_),
        depthwise_(s / "conv" / (expand > 1 ? 1 : 0), expanded_, expanded_, 3, stride, expanded_, same),
        post_depthwise_(s, "post_depthwise", expanded_),
        project_(s / "conv", expand > 1 ? "2" : "1",
                 {.in = expanded_, .out = out, .bias = false, .init = init::kaiming_normal(0, init::Fan::out)}),
        bn_(s / "conv" / (expand > 1 ? 3 : 2), out),
        pre_add_(s, "pre_add", out),
        post_add_(s, "post_add", out) {
    if (expand > 1) expand_.emplace(s / "conv" / 0, in, expanded_, 1, 1, 1, false);
  }
  Var operator()(const Var& x) const {
    const Var wide = post_expand_(expand_ ? (*expand_)(x) : x);
    const Var y = pre_add_(bn_(project_(post_depthwise_(depthwise_(wide)))));
    return post_add_(residual_ ? x + y : y);
  }

 private:
  bool residual_;
  std::int64_t expanded_;
  std::optional<ConvNorm> expand_;
  Slot post_expand_;
  ConvNorm depthwise_;
  Slot post_depthwise_;
  ConvSlot project_;
  BatchNorm2d bn_;
  Slot pre_add_, post_add_;
};

struct Stage {
  int expand, width, blocks, stride;
};
constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                             {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

class MobileNetV2 final : public Backbone {
 public:
  MobileNetV2(const Scope& s, std::int64_t channels, double width, bool same)
      : Backbone(s),
        stem_(s / "features" / 0, channels, rounded(32 * width), 3, 2, 1, same),
        after_stem_(s, "after_stem", rounded(32 * width)) {
    std::int64_t in = rounded(32 * width);
    int stride = 2, index = 1;
    for (std::size_t i = 0; i < std::size(kStages); ++i) {
      const Stage& stage = kStages[i];
      const int out = rounded(stage.width * width);
      for (int k = 0; k < stage.blocks; ++k, in = out)
        blocks_.emplace_back(s / "features" / index++, in, out, k == 0 ? stage.stride : 1, stage.expand, same);
      after_stage_.emplace(blocks_.size(), Slot(s / "features" / (index - 1), "after_stage", out));
      stride *= stage.stride;
      // A feature is the last map of its stride.
      if (i + 1 == std::size(kStages) || kStages[i + 1].stride == 2) {
        ends_.push_back(blocks_.size());
        offer("features." + std::to_string(index - 1), out, stride);
      }
    }
    const int last = rounded(1280 * std::max(1.0, width));
    last_.emplace(s / "features" / index, in, last, 1, 1, 1, false);
    offer("features." + std::to_string(index), last, stride);
  }

 protected:
  Vars run(const Var& x, std::size_t count) const override {
    Vars out;
    Var y = after_stem_(stem_(x));
    for (std::size_t i = 0; i < blocks_.size() && out.size() < count; ++i) {
      y = blocks_[i](y);
      if (const auto slot = after_stage_.find(i + 1); slot != after_stage_.end()) y = slot->second(y);
      y = ends_[out.size()] == i + 1 ? give(out, y) : tap("features." + std::to_string(i + 1), y);
    }
    if (out.size() < count) give(out, (*last_)(y));
    return out;
  }

 private:
  ConvNorm stem_;
  Slot after_stem_;
  std::vector<InvertedResidual> blocks_;
  std::map<std::size_t, Slot> after_stage_;  // by the number of blocks before it
  std::vector<std::size_t> ends_;
  std::optional<ConvNorm> last_;
};

}  // namespace

FOVEA_BACKBONE(mobilenet_v2, "inverted residuals with linear bottlenecks", "Sandler et al. 2018, arXiv:1801.04381") {
  const double width = args.get("width", 1.0, "multiplies all channel counts", {0, 64});
  const std::string padding = args.get("padding", "symmetric", "symmetric, or same: as TensorFlow pads strided convolutions");
  check(width > 0 && width < 16, args.where(), ": width: expected a factor above 0, got ", width);
  check(padding == "symmetric" || padding == "same", args.where(), ": padding: expected symmetric or same, got '", padding, "'");
  return std::make_unique<MobileNetV2>(scope, channels, width, padding == "same");
}

}  // namespace fovea
