// A light super-resolution network on A2N's attention block: everything runs at the input's resolution, and one convolution
// with 3 s^2 outputs and a pixel shuffle make the enlarged image, because convolutions with few outputs at high resolution are
// the slowest there are. conv_first -> blocks -> trunk_conv + skip -> tail -> pixel shuffle, plus the bilinearly enlarged input.
#include <algorithm>

#include "modules/heads/upscale.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/pixel_shuffle.hpp"
#include "modules/ops/resize.hpp"

namespace fovea {
namespace {

class A2nLight final : public UpscaleNetwork {
 public:
  A2nLight(const Scope& s, int scale, int width, int blocks, int plain_kernel)
      // A block's attention branch reaches 2 pixels: two 3x3 in a row.
      : UpscaleNetwork(
            s, {scale, 1 + blocks * std::max(2, plain_kernel / 2) + 1 + 1, "AAB_trunk.*.weights", "AAB_trunk.*.attention.gate"}),
        scale_(scale),
        conv_first_(s / "conv_first", {.in = 3, .out = width, .kernel = 3, .pad = 1}),
        trunk_conv_(s / "trunk_conv", {.in = width, .out = width, .kernel = 3, .pad = 1}),
        tail_(s / "tail", {.in = width, .out = 3 * scale * scale, .kernel = 3, .pad = 1}) {
    for (int i = 0; i < blocks; ++i) {
      Args args("a2n_light", {{"plain_kernel", std::to_string(plain_kernel)}});
      trunk_.push_back(Registry::global().make("a2n_aab", s / "AAB_trunk" / i, width, args));
    }
  }

 protected:
  Var forward(const Var& x) const override {
    const Var first = conv_first_(x);
    Var f = first;
    for (const auto& block : trunk_) f = (*block)(f);
    f = trunk_conv_(f, first);
    return pixel_shuffle(tail_(f), scale_) + upsample(x, scale_, Resize::bilinear);
  }

 private:
  int scale_;
  Conv2d conv_first_;
  std::vector<std::unique_ptr<Block>> trunk_;
  Conv2d trunk_conv_, tail_;
};

}  // namespace

FOVEA_NETWORK(a2n_light, "light super-resolution with A2N's block and a pixel-shuffle tail",
              "after Chen et al. 2021, arXiv:2104.09497") {
  const int scale = args.require("scale", "2, 3 or 4");
  const std::int64_t channels = features.back().channels;
  check(channels == 3 && scale >= 2 && scale <= 4, "a2n_light: expected RGB and a scale of 2, 3 or 4, got ", channels,
        " channels and x", scale);
  const int width = args.get("width", 32, "channels, best a multiple of 32"),
            blocks = args.get("blocks", 4, "attention blocks", {1, 4096});
  const int plain = args.get("plain_kernel", 3, "side of the plain branch's kernel: 3, or 1 for the lighter block", {1, 15});
  check(width >= 4 && blocks >= 1, "a2n_light: width and blocks are too small");
  return std::make_unique<A2nLight>(scope, scale, width, blocks, plain);
}

}  // namespace fovea
