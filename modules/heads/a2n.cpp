// A2N (attention in attention network) exactly as its authors' code, parameter names included. Chen et al. 2021, arXiv:2104.09497.
// conv_first -> AAB_trunk -> trunk_conv + skip -> nearest x s, upconv, pixel attention, HRconv (twice x2 for x4) -> conv_last,
// plus the bilinearly enlarged input. A2N-M is plain_kernel: 1.
#include <algorithm>

#include "modules/heads/upscale.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/resize.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

constexpr double kSlope = 0.2;

// One enlargement: nearest x factor, conv, pixel attention, leaky relu, conv, leaky relu.
class Stage {
 public:
  Stage(const Scope& s, int index, std::int64_t in, std::int64_t out, std::int64_t factor)
      : upconv_(s / ("upconv" + std::to_string(index)), {.in = in, .out = out, .kernel = 3, .pad = 1}),
        attention_(Registry::global().make("pixel_attention", s / ("att" + std::to_string(index)), out)),
        conv_(s / ("HRconv" + std::to_string(index)),
              {.in = out, .out = out, .kernel = 3, .pad = 1, .activation = Activation::leaky_relu, .slope = kSlope}),
        factor_(factor) {}
  Var operator()(const Var& x) const {
    return conv_(leaky_relu((*attention_)(upconv_(upsample(x, factor_, Resize::nearest))), kSlope));
  }

 private:
  Conv2d upconv_;
  std::unique_ptr<Block> attention_;
  Conv2d conv_;
  std::int64_t factor_;
};

class A2n final : public UpscaleNetwork {
 public:
  struct Options {
    int scale, width, tail_width, blocks, plain_kernel;
  };
  A2n(const Scope& s, const Options& o)
      // Head 1, two a block, trunk_conv 1; the tail's convolutions act on enlarged maps: at most 3 input pixels.
      : UpscaleNetwork(s, {o.scale, 1 + o.blocks * std::max(2, o.plain_kernel / 2) + 1 + 3, "AAB_trunk.*.weights",
                           "AAB_trunk.*.attention.gate"}),
        options_(o),
        conv_first_(s / "conv_first", {.in = 3, .out = o.width, .kernel = 3, .pad = 1}),
        trunk_conv_(s / "trunk_conv", {.in = o.width, .out = o.width, .kernel = 3, .pad = 1}),
        conv_last_(s / "conv_last", {.in = o.tail_width, .out = 3, .kernel = 3, .pad = 1}) {
    for (int i = 0; i < o.blocks; ++i) {
      const Args args("a2n", {{"plain_kernel", std::to_string(o.plain_kernel)}});
      trunk_.push_back(Registry::global().make("a2n_aab", s / "AAB_trunk" / i, o.width, args));
    }
    stages_.emplace_back(s, 1, o.width, o.tail_width, o.scale == 4 ? 2 : o.scale);
    if (o.scale == 4) stages_.emplace_back(s, 2, o.tail_width, o.tail_width, 2);
  }

 protected:
  Var forward(const Var& x) const override {
    const Var first = conv_first_(x);
    Var f = first;
    for (const auto& block : trunk_) f = (*block)(f);
    f = trunk_conv_(f, first);
    for (const Stage& stage : stages_) f = stage(f);
    return conv_last_(f, upsample(x, options_.scale, Resize::bilinear));
  }

 private:
  Options options_;
  Conv2d conv_first_;
  std::vector<std::unique_ptr<Block>> trunk_;
  Conv2d trunk_conv_;
  std::vector<Stage> stages_;
  Conv2d conv_last_;
};

}  // namespace

FOVEA_NETWORK(a2n, "super-resolution by attention in attention", "Chen et al. 2021, arXiv:2104.09497") {
  const int scale = args.require("scale", "2, 3 or 4");
  const std::int64_t channels = features.back().channels;
  check(channels == 3 && scale >= 2 && scale <= 4, "a2n: expected RGB and a scale of 2, 3 or 4, got ", channels,
        " channels and x", scale);
  const int width = args.get("width", 40, "channels of the trunk"), tail = args.get("tail_width", 24, "channels of the tail");
  const int blocks = args.get("blocks", 16, "attention blocks", {1, 4096});
  const int plain = args.get("plain_kernel", 3, "side of the plain branch's kernel, odd: 3, or 1 for A2N-M", {1, 15});
  check(width >= 4 && tail >= 1 && blocks >= 1, "a2n: width, tail_width and blocks are too small");
  return std::make_unique<A2n>(scope, A2n::Options{scale, width, tail, blocks, plain});
}

}  // namespace fovea
