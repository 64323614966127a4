// Residual networks. He et al. 2016, arXiv:1512.03385, with the stride in the 3x3 convolution of a bottleneck (v1.5); deep stem
// and pooled shortcuts of ResNet-D: He et al. 2019, arXiv:1812.01187. Parameter names are torchvision's: conv1, bn1, layer1.0.conv1,
// layer1.0.bn1, ..., layer2.0.downsample.0, .1 (with a deep stem conv1.0 to conv1.6, as timm's).
// Features: stem, layer1, ..., and `final` with `final_width`. Slots of each block: conv1, conv2, conv3 (convolutions, each with pre_convN),
// post_convN behind the activation, pre_add at the end of the residual branch, post_add behind the sum; of each stage after_stage; after_stem.
#include <algorithm>

#include "modules/core/whole.hpp"
#include "modules/nn/backbone.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/pool2d.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

struct ResNetOptions {
  bool bottleneck = false;
  std::vector<int> layers, widths;
  std::string stem = "imagenet";  // imagenet: 7x7; deep: three 3x3; cifar: one 3x3 without stride and pooling
  int stem_width = 64, groups = 1, final_width = 0;
  double width_factor = 1;  // of the bottleneck's inside
  bool pooled_shortcut = false, zero_init = false;

  int expansion() const { return bottleneck ? 4 : 1; }
};

Conv2d::Options conv_of(std::int64_t in, std::int64_t out, int kernel, int stride = 1, int groups = 1) {
  return {.in = in,
          .out = out,
          .kernel = kernel,
          .stride = stride,
          .pad = kernel / 2,
          .groups = groups,
          .bias = false,
          .init = init::kaiming_normal(0, init::Fan::out)};
}

// 1x1 with stride, or pooled first (ResNet-D), so that no pixel is thrown away.
class Shortcut {
 public:
  Shortcut(const Scope& s, std::int64_t in, std::int64_t out, int stride, bool pooled)
      : pool_(pooled && stride > 1 ? stride : 0),
        conv_(s / (pooled ? 1 : 0), conv_of(in, out, 1, pooled ? 1 : stride)),
        bn_(s / (pooled ? 2 : 1), out) {}
  Var operator()(const Var& x) const { return bn_(conv_(pool_ ? avg_pool2d(x, {.kernel = pool_, .ceil = true}) : x)); }

 private:
  int pool_;
  Conv2d conv_;
  BatchNorm2d bn_;
};

// One convolution of the residual branch with its norm.
struct ConvNorm {
  ConvNorm(const Scope& s, int number, const Conv2d::Options& o)
      : conv(s, "conv" + std::to_string(number), o), bn(s / ("bn" + std::to_string(number)), o.out) {}
  ConvSlot conv;
  BatchNorm2d bn;
};

class ResidualBlock {
 public:
  ResidualBlock(const Scope& s, std::int64_t in, std::int64_t width, int stride, const ResNetOptions& o)
      : pre_add_(s, "pre_add", width * o.expansion()), post_add_(s, "post_add", width * o.expansion()) {
    const std::int64_t out = width * o.expansion();
    const std::int64_t inside = whole(static_cast<double>(width) * o.width_factor, "resnet: width * width_factor") * o.groups;
    std::vector<Conv2d::Options> convs{conv_of(in, out, 3, stride), conv_of(out, out, 3)};
    if (o.bottleneck) convs = {conv_of(in, inside, 1), conv_of(inside, inside, 3, stride, o.groups), conv_of(inside, out, 1)};
    for (std::size_t i = 0; i < convs.size(); ++i) {
      steps_.emplace_back(s, static_cast<int>(i) + 1, convs[i]);
      if (i + 1 < convs.size()) between_.emplace_back(s, "post_conv" + std::to_string(i + 1), convs[i].out);
    }
    if (o.zero_init) {
      Var last = steps_.back().bn.weight;
      last.set_value(Tensor::zeros(last.shape()));
    }
    if (stride != 1 || in != out) shortcut_.emplace(s / "downsample", in, out, stride, o.pooled_shortcut);
  }

  Var operator()(const Var& x) const {
    Var y = x;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const ConvNorm& step = steps_[i];
      y = step.conv(y);
      y = i < between_.size() ? between_[i](step.bn.relu(y)) : step.bn(y);
    }
    return post_add_(relu(pre_add_(y) + (shortcut_ ? (*shortcut_)(x) : x)));
  }

 private:
  std::vector<ConvNorm> steps_;
  std::vector<Slot> between_;
  Slot pre_add_, post_add_;
  std::optional<Shortcut> shortcut_;
};

// The convolutions in front of the stages.
class Stem {
 public:
  Stem(const Scope& s, std::int64_t in, const ResNetOptions& o)
      : after_(s, "after_stem", o.stem_width), pool_(o.stem != "cifar") {
    const int w = o.stem_width, half = o.stem_width / 2;
    if (o.stem == "deep") {
      const Conv2d::Options convs[] = {conv_of(in, half, 3, 2), conv_of(half, half, 3), conv_of(half, w, 3)};
      for (int i = 0; i < 3; ++i) {
        convs_.emplace_back(s / "conv1" / (3 * i), convs[i]);
        norms_.emplace_back(i < 2 ? s / "conv1" / (3 * i + 1) : s / "bn1", convs[i].out);
      }
    } else {
      convs_.emplace_back(s / "conv1", o.stem == "cifar" ? conv_of(in, w, 3) : conv_of(in, w, 7, 2));
      norms_.emplace_back(s / "bn1", w);
    }
  }
  Var operator()(const Var& x) const {
    Var y = x;
    for (std::size_t i = 0; i < convs_.size(); ++i) y = norms_[i].relu(convs_[i](y));
    return after_(y);
  }
  Var pooled(const Var& y) const { return pool_ ? max_pool2d(y, {.kernel = 3, .stride = 2, .pad = 1}) : y; }
  int stride() const { return pool_ ? 2 : 1; }

 private:
  std::vector<Conv2d> convs_;
  std::vector<BatchNorm2d> norms_;
  Slot after_;
  bool pool_;
};

class ResNet final : public Backbone {
 public:
  ResNet(const Scope& s, std::int64_t channels, const ResNetOptions& o) : Backbone(s), stem_(s, channels, o) {
    offer("stem", o.stem_width, stem_.stride());
    std::int64_t in = o.stem_width;
    int stride = stem_.stride() * stem_.stride();
    for (std::size_t i = 0; i < o.layers.size(); ++i) {
      const Scope layer = s / ("layer" + std::to_string(i + 1));
      stages_.emplace_back();
      for (int k = 0; k < o.layers[i]; ++k) {
        stages_.back().emplace_back(layer / k, in, o.widths[i], k == 0 && i > 0 ? 2 : 1, o);
        in = static_cast<std::int64_t>(o.widths[i]) * o.expansion();
      }
      if (i > 0) stride *= 2;
      after_.emplace_back(layer, "after_stage", in);
      offer("layer" + std::to_string(i + 1), in, stride);
    }
    if (o.final_width == 0) return;
    final_.emplace(s / "final" / 0, conv_of(in, o.final_width, 1));
    final_bn_.emplace(s / "final" / 1, o.final_width);
    offer("final", o.final_width, stride);
  }

 protected:
  Vars run(const Var& x, std::size_t count) const override {
    Vars out;
    Var y = stem_.pooled(give(out, stem_(x)));
    for (std::size_t i = 0; i < stages_.size() && out.size() < count; ++i) {
      for (const ResidualBlock& block : stages_[i]) y = block(y);
      y = give(out, after_[i](y));
    }
    if (out.size() < count) give(out, final_bn_->relu((*final_)(y)));
    return out;
  }

 private:
  Stem stem_;
  std::vector<std::vector<ResidualBlock>> stages_;
  std::vector<Slot> after_;
  std::optional<Conv2d> final_;
  std::optional<BatchNorm2d> final_bn_;
};

std::unique_ptr<Block> make_resnet_of(const Scope& scope, std::int64_t channels, Args& args, const char* block,
                                      const std::vector<int>& layers) {
  ResNetOptions o;
  const std::string kind = args.get("block", block, "basic or bottleneck");
  check(kind == "basic" || kind == "bottleneck", args.where(), ": block: expected basic or bottleneck, got '", kind, "'");
  o.bottleneck = kind == "bottleneck";
  o.layers = args.list("layers", layers, "blocks of each stage", {1, 4096});
  o.widths = args.list("widths", {64, 128, 256, 512}, "channels of each stage, before a bottleneck's expansion by 4", {1, 65536});
  o.stem = args.get("stem", "imagenet", "imagenet (7x7, pooled), deep (three 3x3, pooled) or cifar (one 3x3)");
  o.stem_width = args.get("stem_width", o.widths.empty() ? 64 : o.widths[0], "channels of the stem", {2, 65536});
  o.groups = args.get("groups", 1, "groups of a bottleneck's 3x3 convolution (ResNeXt)", {1, 65536});
  o.width_factor = args.get("width_factor", 1.0, "width of a bottleneck's inside, times its stage's", {0, 64});
  o.pooled_shortcut = args.get("pooled_shortcut", false, "average pooling in shortcuts with stride (ResNet-D)");
  o.zero_init = args.get("zero_init", false, "last norm of each block starts at 0, so that blocks start as the identity");
  o.final_width = args.get("final_width", 0, "channels of a 1x1 convolution behind the last stage; 0: none", {0, 65536});
  check(o.stem == "imagenet" || o.stem == "deep" || o.stem == "cifar", args.where(),
        ": stem: expected imagenet, deep or cifar, got '", o.stem, "'");
  check(!o.layers.empty() && o.layers.size() == o.widths.size(), args.where(),
        ": layers and widths must have one number a stage, got ", o.layers.size(), " and ", o.widths.size());
  check(*std::min_element(o.layers.begin(), o.layers.end()) > 0 && *std::min_element(o.widths.begin(), o.widths.end()) > 0 &&
            o.stem_width > 1 && o.groups > 0 && o.width_factor > 0 && o.final_width >= 0,
        args.where(), ": layers, widths and groups must be positive");
  return std::make_unique<ResNet>(scope, channels, o);
}

constexpr const char* kText = "residual network";
constexpr const char* kPaper = "He et al. 2016, arXiv:1512.03385";

}  // namespace

FOVEA_BACKBONE(resnet, kText, kPaper) { return make_resnet_of(scope, channels, args, "basic", {2, 2, 2, 2}); }
FOVEA_BACKBONE(resnet18, kText, kPaper) { return make_resnet_of(scope, channels, args, "basic", {2, 2, 2, 2}); }
FOVEA_BACKBONE(resnet34, kText, kPaper) { return make_resnet_of(scope, channels, args, "basic", {3, 4, 6, 3}); }
FOVEA_BACKBONE(resnet50, kText, kPaper) { return make_resnet_of(scope, channels, args, "bottleneck", {3, 4, 6, 3}); }
FOVEA_BACKBONE(resnet101, kText, kPaper) { return make_resnet_of(scope, channels, args, "bottleneck", {3, 4, 23, 3}); }

}  // namespace fovea
