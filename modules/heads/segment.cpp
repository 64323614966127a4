// Segmentation: dropout and one convolution on the last feature; logits of every class for every position of it, enlarged by `scale` when the
// feature is coarser than the picture. One class: the logit of that class against everything else.
// Output "logits": N x classes x H x W, a tap, too. Parameters conv.weight, conv.bias.
#include "modules/nn/head.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/resize.hpp"

namespace fovea {
namespace {

HeadInfo info_of(const std::vector<std::string>& classes, int stride, int scale) {
  const auto count = static_cast<std::int64_t>(classes.size());
  return {"segment",
          classes,
          {{"logits",
            "label logits",
            {OutputAxis::batch(), OutputAxis::constant(count), OutputAxis::height(scale, stride),
             OutputAxis::width(scale, stride)}}}};
}

class Segment final : public MapHead {
 public:
  Segment(const Scope& s, const Feature& in, const std::vector<std::string>& classes, int kernel, int scale, double dropout)
      : MapHead(s, info_of(classes, in.stride, scale)),
        conv_(s / "conv",
              {.in = in.channels, .out = static_cast<std::int64_t>(classes.size()), .kernel = kernel, .pad = kernel / 2}),
        scale_(scale),
        dropout_(dropout) {}

 protected:
  Var forward(const Var& x) const override {
    const Var y = conv_(dropout_(x));
    return tap("logits", scale_ > 1 ? upsample(y, scale_, Resize::bilinear) : y);
  }

 private:
  Conv2d conv_;
  int scale_;
  Dropout dropout_;
};

}  // namespace

FOVEA_HEAD(segment, "a class for every position", "Long et al. 2015, arXiv:1411.4038") {
  const auto classes = read_classes(args, 1);
  const int kernel = args.get("kernel", 1, "side of the convolution, odd", {1, 255});
  const int scale = args.get("scale", 1, "how many times larger the logits become, bilinear", {1, 64});
  const double dropout = args.get("dropout", 0.0, "in front of the convolution, in training");
  check(kernel > 0 && kernel % 2 == 1, args.where(), ": kernel: expected an odd side, got ", kernel);
  check(scale >= 1 && scale <= 64, args.where(), ": scale: expected 1 to 64, got ", scale);
  return std::make_unique<Segment>(scope, features.back(), classes, kernel, scale, dropout);
}

}  // namespace fovea
