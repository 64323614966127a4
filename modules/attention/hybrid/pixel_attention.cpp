// Pixel attention: y = x * sigmoid(conv1x1 x). Zhao et al. 2020, arXiv:2010.01073, as used by A2N's tail.
// Parameters conv.weight, conv.bias. Tap "gate": N x C x H x W in (0, 1).
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"

namespace fovea {
namespace {

class PixelAttention final : public MapBlock {
 public:
  PixelAttention(const Scope& s, std::int64_t c)
      : MapBlock(s), conv_(s / "conv", {.in = c, .out = c, .activation = Activation::sigmoid}) {}

 protected:
  Var forward(const Var& x) const override { return x * tap("gate", conv_(x)); }

 private:
  Conv2d conv_;
};

}  // namespace

FOVEA_BLOCK(pixel_attention, "a gate for every pixel of every channel", "Zhao et al. 2020, arXiv:2010.01073") {
  return std::make_unique<PixelAttention>(scope, channels);
}

}  // namespace fovea
