// U-Net: an encoder, and a decoder that joins each of its levels again. Ronneberger et al. 2015, arXiv:1505.04597; Attention U-Net gates what
// is joined: Oktay et al. 2018, arXiv:1804.03999. Layers and names are LeeJunHyun/Image_Segmentation's: Conv1.conv.{0, 1, 3, 4}, ...,
// Up5.up.{1, 2}, Att5.*, Up_conv5.conv.*; its Conv_1x1 is the head's ({type: segment}).
// Any picture size: a level is enlarged to the size of the one that it joins.
// Features: Conv1, Conv2, ... (stride 1, 2, ...), then Up_conv5, ..., Up_conv2 (stride 1 again). Slots: each convolution by its path,
// after_stage of each Conv and Up_conv, and skip of each Up_conv: the encoder's map in front of gate and joining.
#include <algorithm>

#include "modules/nn/backbone.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/unet_levels.hpp"
#include "modules/ops/pool2d.hpp"

namespace fovea {
namespace {

class UNet final : public Backbone {
 public:
  UNet(const Scope& s, std::int64_t channels, const std::vector<int>& widths, const std::string& gate,
       const DropBlock::Options& drop)
      : Backbone(s) {
    std::int64_t in = channels;
    for (std::size_t i = 0; i < widths.size(); in = widths[i++]) {
      const std::string name = "Conv" + std::to_string(i + 1);
      down_.emplace_back(s / name, in, widths[i], drop);
      offer(name, widths[i], 1 << i);
    }
    for (std::size_t i = widths.size() - 1; i > 0; --i) {
      const int level = static_cast<int>(i) + 1;
      up_.emplace_back(s, UNetJoinOptions{.level = level,
                                          .in = widths[i],
                                          .skip = widths[i - 1],
                                          .out = widths[i - 1],
                                          .gate_inner = std::max(1, widths[i - 1] / 2),
                                          .gate = gate,
                                          .drop = drop});
      offer("Up_conv" + std::to_string(level), widths[i - 1], 1 << (i - 1));
    }
  }

 protected:
  Vars run(const Var& x, std::size_t count) const override {
    Vars out;
    for (std::size_t i = 0; i < down_.size() && out.size() < count; ++i)
      give(out, down_[i](i == 0 ? x : max_pool2d(out.back(), {.kernel = 2})));
    for (std::size_t i = 0; i < up_.size() && out.size() < count; ++i) give(out, up_[i](out.back(), out[down_.size() - 2 - i]));
    return out;
  }

 private:
  std::vector<UNetLevel> down_;
  std::vector<UNetJoin> up_;
};

std::unique_ptr<Block> make_unet_of(const Scope& scope, std::int64_t channels, Args& args, const char* gate) {
  const auto widths = args.list("widths", std::vector<int>{64, 128, 256, 512, 1024}, "channels of each level", {1, 65536});
  const std::string kind = args.get("gate", gate, "which block gates what is joined: none, attention_gate or another");
  const DropBlock::Options drop{
      .probability = args.get("drop_block", 0.0, "share of each convolution's values that training drops, in squares", {0, 0.9}),
      .block = args.get("drop_size", 7, "side of those squares", {1, 1024})};
  check(widths.size() >= 2 && widths.size() <= 8 && *std::min_element(widths.begin(), widths.end()) > 0, args.where(),
        ": widths: expected 2 to 8 positive numbers");
  return std::make_unique<UNet>(scope, channels, widths, kind, drop);
}

}  // namespace

FOVEA_BACKBONE(unet, "encoder and decoder, joined at every level", "Ronneberger et al. 2015, arXiv:1505.04597") {
  return make_unet_of(scope, channels, args, "none");
}
FOVEA_BACKBONE(attention_unet, "U-Net whose joints are gated", "Oktay et al. 2018, arXiv:1804.03999") {
  return make_unet_of(scope, channels, args, "attention_gate");
}

}  // namespace fovea
