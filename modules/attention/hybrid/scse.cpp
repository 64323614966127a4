// Concurrent spatial and channel squeeze-and-excitation: y = x * c + x * s or their maximum, c = sigmoid(fc2 relu(fc1 mean_HW x)),
// s = sigmoid(conv_1x1 x). Roy et al. 2018, arXiv:1803.02579. Parameters channel.fc1.*, channel.fc2.*, spatial.conv.*.
// Taps "channel": N x C x 1 x 1; "spatial": N x 1 x H x W.
#include "modules/nn/gate_mlp.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

class Scse final : public MapBlock {
 public:
  Scse(const Scope& s, const GateMlp::Options& o, bool maximum)
      : MapBlock(s),
        channel_(s / "channel", o),
        spatial_(s / "spatial" / "conv", {.in = o.in, .out = 1, .activation = Activation::sigmoid}),
        maximum_(maximum) {}

 protected:
  Var forward(const Var& x) const override {
    const Var by_channel = x * tap("channel", sigmoid(channel_(global_avg_pool(x))));
    const Var by_position = x * tap("spatial", spatial_(x));
    return maximum_ ? maximum(by_channel, by_position) : by_channel + by_position;
  }

 private:
  GateMlp channel_;
  Conv2d spatial_;
  bool maximum_;
};

}  // namespace

FOVEA_BLOCK(scse, "a gate for every channel beside one for every position", "Roy et al. 2018, arXiv:1803.02579") {
  GateMlp::Options o{.in = channels, .hidden = squeezed_width(args, channels, {.reduction = 2}, "scse"), .out = channels};
  o.bias = args.get("bias", true, "biases of the channel gate");
  const std::string combine = args.get("combine", "add", "the two gated maps: add or max");
  check(combine == "add" || combine == "max", "scse: expected combine add or max, got '", combine, "'");
  return std::make_unique<Scse>(scope, o, combine == "max");
}

}  // namespace fovea
