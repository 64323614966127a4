// Attention block of MAResU-Net: u = relu(conv3x3 x); y = conv3(conv2P(PAM(u)) + conv2C(CAM(u))), where PAM attends over positions at
// linear cost, CAM over channels, and the 1x1 convolutions have a relu and a dropout of whole channels in front.
// Li et al. 2020, arXiv:2011.14302. Without convolutions it is MANet's PAM(x) + CAM(x), arXiv:2009.02130.
// Parameters conv1.0, conv2P.1.0, conv2C.1.0, conv3.1.0: weight, bias; PAM.* and CAM.gamma as of the blocks that these are.
// Taps "PAM.spatial" or "PAM.attention", "CAM.attention".
#include <optional>

#include "modules/nn/registry.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/dropout.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

class PamCam final : public MapBlock {
 public:
  PamCam(const Scope& s, std::int64_t c, const std::string& position, Args options, bool convolutions, double dropout)
      : MapBlock(s),
        position_(Registry::global().make(position, s / "PAM", c, std::move(options))),
        channel_(Registry::global().make("cam", s / "CAM", c)),
        dropout_(dropout) {
    if (!convolutions) return;
    const Conv2d::Options first{.in = c, .out = c, .kernel = 3, .pad = 1, .activation = Activation::relu};
    const Conv2d::Options other{.in = c, .out = c, .activation = Activation::relu};
    conv1_.emplace(s / "conv1" / 0, first);
    conv_position_.emplace(s / "conv2P" / 1 / 0, other);
    conv_channel_.emplace(s / "conv2C" / 1 / 0, other);
    conv3_.emplace(s / "conv3" / 1 / 0, other);
  }

 protected:
  Var forward(const Var& x) const override {
    if (!conv1_) return (*position_)(x) + (*channel_)(x);
    const Var u = (*conv1_)(x);
    const Var both = (*conv_position_)(thinned((*position_)(u))) + (*conv_channel_)(thinned((*channel_)(u)));
    return (*conv3_)(thinned(both));
  }

 private:
  // Whole channels are dropped: one draw for each.
  Var thinned(const Var& x) const {
    Random* random = Dropping::random();
    if (!random || dropout_ == 0) return x;
    const Var ones = scale(slice(slice(x, 2, 0, 1), 3, 0, 1), 0, 1);
    return x * dropout(ones, dropout_, true, *random);
  }

  std::unique_ptr<Block> position_, channel_;
  std::optional<Conv2d> conv1_, conv_position_, conv_channel_, conv3_;
  double dropout_;
};

}  // namespace

FOVEA_BLOCK(pam_cam, "positions and channels attend side by side", "Li et al. 2020, arXiv:2011.14302") {
  const std::string position =
      args.get("position", "lam_position", "attention over positions: lam_position, kernel_attention or pam");
  check(position == "lam_position" || position == "kernel_attention" || position == "pam",
        "pam_cam: expected position lam_position, kernel_attention or pam, got '", position, "'");
  const int reduction = args.get("reduction", 8, "channel squeeze of the positions' queries and keys");
  const bool convolutions =
      args.get("convolutions", true, "MAResU-Net's convolutions around the two; without them MANet's block");
  const double dropout = args.get("dropout", 0.1, "of whole channels in front of the 1x1 convolutions, in training");
  check(dropout >= 0 && dropout < 1, "pam_cam: expected dropout in [0, 1), got ", dropout);
  Args options(args.where(), {{"reduction", std::to_string(reduction)}});
  return std::make_unique<PamCam>(scope, channels, position, std::move(options), convolutions, dropout);
}

}  // namespace fovea
