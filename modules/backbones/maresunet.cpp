// MAResU-Net: a residual encoder, attention of linear cost on each of its levels, and a decoder that adds them up. Li et al. 2020,
// arXiv:2011.14302. Layers are lironui/MAResU-Net's: encoder (a resnet with its names), attention1 to attention4, decoder4 to decoder1 with
// conv1, norm1, deconv2, norm2, conv3, norm3; finaldeconv1, finalconv2; its finalconv3 is the head's ({type: segment, kernel: 3}).
// Any picture size: what the decoder doubles is cut to the level that it is added to.
// Features: layer1, ..., layer4 behind their attention (stride 4 to 32), decoder4, ..., decoder1 (stride 2), final (stride 1). Slots: the
// encoder's, and after_stage of every decoder.
#include <algorithm>

#include "modules/nn/backbone.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

std::string numbered(const char* name, std::size_t i) { return name + std::to_string(i); }

// The upper left height x width of a map that is at most one larger.
Var cut(const Var& x, std::int64_t height, std::int64_t width) {
  const Var rows = x.dim(2) == height ? x : slice(x, 2, 0, height);
  return x.dim(3) == width ? rows : slice(rows, 3, 0, width);
}

// Squeezed, doubled in size, widened.
class Decoder {
 public:
  Decoder(const Scope& s, std::int64_t in, std::int64_t out)
      : conv1_(s, "conv1", {.in = in, .out = in / 4}),
        norm1_(s / "norm1", in / 4),
        deconv2_(s / "deconv2", {.in = in / 4, .out = in / 4, .kernel = 3, .stride = 2, .pad = 1, .output_pad = 1}),
        norm2_(s / "norm2", in / 4),
        conv3_(s, "conv3", {.in = in / 4, .out = out}),
        norm3_(s / "norm3", out),
        after_(s, "after_stage", out) {}
  Var operator()(const Var& x) const {
    const Var y = relu(norm2_(deconv2_(relu(norm1_(conv1_(x))))));
    return after_(relu(norm3_(conv3_(y))));
  }

 private:
  ConvSlot conv1_;
  BatchNorm2d norm1_;
  ConvTranspose2d deconv2_;
  BatchNorm2d norm2_;
  ConvSlot conv3_;
  BatchNorm2d norm3_;
  Slot after_;
};

class MaResUNet final : public Backbone {
 public:
  struct Options {
    std::string attention;
    int final_width = 32;
  };
  MaResUNet(const Scope& s, std::unique_ptr<Block> encoder, const Options& o)
      : Backbone(s), owner_(std::move(encoder)), encoder_(dynamic_cast<Backbone&>(*owner_)) {
    encoder_.select({"layer1", "layer2", "layer3", "layer4"});
    const std::vector<Feature> levels = encoder_.selected();
    for (std::size_t i = 0; i < levels.size(); ++i) {
      if (o.attention != "none")
        attention_.push_back(Registry::global().make(o.attention, s / numbered("attention", i + 1), levels[i].channels));
      offer(levels[i].name, levels[i].channels, levels[i].stride);
    }
    for (std::size_t i = levels.size(); i > 0; --i) {
      const Feature& from = levels[i - 1];
      check(from.channels % 4 == 0, "maresunet: expected widths that are multiples of 4, got ", from.channels);
      const std::int64_t out = i > 1 ? levels[i - 2].channels : from.channels;
      decoders_.emplace_back(s / numbered("decoder", i), from.channels, out);
      offer(numbered("decoder", i), out, from.stride / 2);
    }
    final_deconv_.emplace(
        s / "finaldeconv1",
        ConvTranspose2d::Options{.in = levels[0].channels, .out = o.final_width, .kernel = 4, .stride = 2, .pad = 1});
    final_conv_.emplace(s, "finalconv2", Conv2d::Options{.in = o.final_width, .out = o.final_width, .kernel = 3, .pad = 1});
    offer("final", o.final_width, 1);
  }

 protected:
  Vars run(const Var& x, std::size_t count) const override {
    const Vars levels = static_cast<const Block&>(encoder_)(Vars{x});
    Vars out;
    for (std::size_t i = 0; i < levels.size() && out.size() < count; ++i)
      give(out, attention_.empty() ? levels[i] : (*attention_[i])(levels[i]));
    for (std::size_t i = 0; i < decoders_.size() && out.size() < count; ++i) {
      Var y = decoders_[i](out.back());
      if (i + 1 < levels.size()) {
        const Var& level = out[levels.size() - 2 - i];
        y = cut(y, level.dim(2), level.dim(3)) + level;
      }
      give(out, y);
    }
    if (out.size() < count) {
      const Var y = cut(relu((*final_deconv_)(out.back())), x.dim(2), x.dim(3));
      give(out, relu((*final_conv_)(y)));
    }
    return out;
  }

 private:
  std::unique_ptr<Block> owner_;
  Backbone& encoder_;
  std::vector<std::unique_ptr<Block>> attention_;
  std::vector<Decoder> decoders_;
  std::optional<ConvTranspose2d> final_deconv_;
  std::optional<ConvSlot> final_conv_;
};

}  // namespace

FOVEA_BACKBONE(maresunet, "residual encoder, linear attention on every level, decoder", "Li et al. 2020, arXiv:2011.14302") {
  MaResUNet::Options o;
  const std::string block = args.get("block", "basic", "of the encoder: basic or bottleneck");
  const auto layers = args.list("layers", std::vector<int>{3, 4, 6, 3}, "blocks of each of the encoder's four stages", {1, 4096});
  const auto widths = args.list("widths", std::vector<int>{64, 128, 256, 512}, "channels of each stage", {1, 65536});
  o.attention = args.get("attention", "pam_cam", "which block attends on each level; none: none");
  o.final_width = args.get("final_width", 32, "channels in front of the head", {1, 65536});
  check(layers.size() == 4 && widths.size() == 4, args.where(), ": layers and widths: expected four numbers each");
  check(o.final_width > 0, args.where(), ": final_width: expected a positive number, got ", o.final_width);
  Args::Lists lists;
  for (const int v : layers) lists["layers"].push_back(std::to_string(v));
  for (const int v : widths) lists["widths"].push_back(std::to_string(v));
  auto encoder =
      Registry::global().make("resnet", scope / "encoder", channels, Args(args.where(), {{"block", block}}, {}, lists));
  return std::make_unique<MaResUNet>(scope, std::move(encoder), o);
}

}  // namespace fovea
