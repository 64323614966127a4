// Segmentation: dropout and one convolution on the last feature; logits of every class for every position of it, enlarged by `scale` when the
// feature is coarser than the picture. One class: the logit of that class against everything else.
// Parameters conv.weight, conv.bias. Tap "logits": N x classes x H x W.
#include "modules/heads/segment.hpp"

#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/resize.hpp"

namespace fovea {
namespace {

class Segment final : public Segmenter {
 public:
  Segment(const Scope& s, std::int64_t channels, std::vector<std::string> classes, int kernel, int scale, double dropout)
      : Segmenter(s),
        classes_(std::move(classes)),
        conv_(s / "conv",
              {.in = channels, .out = static_cast<std::int64_t>(classes_.size()), .kernel = kernel, .pad = kernel / 2}),
        scale_(scale),
        dropout_(dropout) {}
  const std::vector<std::string>& classes() const override { return classes_; }

 protected:
  Var forward(const Var& x) const override {
    const Var y = conv_(dropout_(x));
    return tap("logits", scale_ > 1 ? upsample(y, scale_, Resize::bilinear) : y);
  }

 private:
  std::vector<std::string> classes_;
  Conv2d conv_;
  int scale_;
  Dropout dropout_;
};

}  // namespace

FOVEA_HEAD(segment, "a class for every position", "Long et al. 2015, arXiv:1411.4038") {
  auto classes = args.list("classes", std::vector<std::string>{}, "names, or one number of nameless classes");
  if (classes.size() == 1 && classes[0].find_first_not_of("0123456789") == std::string::npos && classes[0].size() < 5) {
    const int count = std::stoi(classes[0]);
    classes.clear();
    for (int i = 0; i < count; ++i) classes.push_back(std::to_string(i));
  }
  check(!classes.empty(), args.where(), ": classes: expected at least one");
  const int kernel = args.get("kernel", 1, "side of the convolution, odd");
  const int scale = args.get("scale", 1, "how many times larger the logits become, bilinear");
  const double dropout = args.get("dropout", 0.0, "in front of the convolution, in training");
  check(kernel > 0 && kernel % 2 == 1, args.where(), ": kernel: expected an odd side, got ", kernel);
  check(scale >= 1 && scale <= 64, args.where(), ": scale: expected 1 to 64, got ", scale);
  return std::make_unique<Segment>(scope, channels, std::move(classes), kernel, scale, dropout);
}

}  // namespace fovea
