// Spatial squeeze-and-excitation: y = x * sigmoid(conv_1x1 x), one plane for all channels. Roy et al. 2018, arXiv:1803.02579.
// Parameters conv.weight, conv.bias. Tap "spatial": N x 1 x H x W.
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"

namespace fovea {
namespace {

class Sse final : public MapBlock {
 public:
  Sse(const Scope& s, std::int64_t c, bool bias)
      : MapBlock(s), conv_(s / "conv", {.in = c, .out = 1, .bias = bias, .activation = Activation::sigmoid}) {}

 protected:
  Var forward(const Var& x) const override { return x * tap("spatial", conv_(x)); }

 private:
  Conv2d conv_;
};

}  // namespace

FOVEA_BLOCK(sse, "a gate for every position from one layer", "Roy et al. 2018, arXiv:1803.02579") {
  const bool bias = args.get("bias", true, "of the convolution");
  return std::make_unique<Sse>(scope, channels, bias);
}

}  // namespace fovea
