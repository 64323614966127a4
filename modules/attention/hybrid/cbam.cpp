// Convolutional block attention: u = x * sigmoid(sum_p mlp(pool_p x)), y = u * sigmoid(bn(conv_7x7 [max_C u; mean_C u])).
// Woo et al. 2018, arXiv:1807.06521. Parameters channel.fc1.*, channel.fc2.*, spatial.conv.*, spatial.bn.*.
// Taps "channel": N x C x 1 x 1; "spatial": N x 1 x H x W. Defaults are the authors'; timm's are {divisor: 1, mlp_bias: false,
// order: mean_max, ties: equal}.
#include <optional>

#include "modules/attention/spatial/spatial_gate.hpp"
#include "modules/nn/gate_mlp.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"

namespace fovea {
namespace {

class Cbam final : public MapBlock {
 public:
  struct Options {
    GateMlp::Options mlp;
    std::vector<std::string> pools;
    std::string gate;
    std::optional<SpatialGate::Options> spatial;
    bool residual = false;
    Ties ties = Ties::first;
  };
  Cbam(const Scope& s, const Options& o, const ChannelPlanes& planes)
      : MapBlock(s), mlp_(s / "channel", o.mlp), gate_(activation(o.gate, s.path())), planes_(planes), residual_(o.residual) {
    for (const std::string& pool : o.pools) pools_.push_back(squeeze(pool, s.path(), o.ties));
    if (o.spatial) spatial_.emplace(s / "spatial", *o.spatial);
  }

 protected:
  Var forward(const Var& x) const override {
    Var logits = mlp_(pools_[0](x));
    for (std::size_t p = 1; p < pools_.size(); ++p) logits = logits + mlp_(pools_[p](x));
    Var y = x * tap("channel", gate_(logits));
    if (spatial_) y = y * tap("spatial", (*spatial_)(planes_(y)));
    return residual_ ? x + y : y;
  }

 private:
  GateMlp mlp_;
  std::vector<Pointwise> pools_;
  Pointwise gate_;
  ChannelPlanes planes_;
  std::optional<SpatialGate> spatial_;
  bool residual_;
};

// The authors start the spatial gate's norm at 0, so that the gate opens evenly.
SpatialGate::Options spatial_options(Args& args, const std::string& gate) {
  SpatialGate::Options o;
  o.kernel = args.get("kernel", 7, "side of the spatial gate's convolution, odd");
  o.bn = args.get("bn", true, "batch norm in the spatial gate");
  o.bias = args.get("bias", false, "bias of the spatial gate's convolution");
  o.momentum = args.get("momentum", 0.01, "of the norm's running statistics");
  o.bn_weight = args.get("zero_bn", true, "the norm's weight starts at 0: every position gets the same gate at first") ? 0 : 1;
  o.gate = gate;
  o.init = init::kaiming_normal(0, init::Fan::out);
  check(o.kernel > 0 && o.kernel % 2 == 1, "cbam: expected an odd kernel, got ", o.kernel);
  return o;
}

}  // namespace

FOVEA_BLOCK(cbam, "a gate for every channel, then one for every position", "Woo et al. 2018, arXiv:1807.06521") {
  Cbam::Options o;
  const bool light = args.get("light", false, "half sums instead of both pools, in both gates (timm's light variant)");
  o.pools = args.list("pools", light ? std::vector<std::string>{"avg_max"} : std::vector<std::string>{"avg", "max"},
                      "poolings of the channel gate, their logits summed: avg, max, avg_max, lp, lse");
  check(!o.pools.empty(), "cbam: expected at least one of the pools avg, max, avg_max, lp, lse");
  o.mlp = {.in = channels, .hidden = squeezed_width(args, channels, {}, "cbam"), .out = channels};
  o.mlp.bias = args.get("mlp_bias", true, "biases of the channel gate's layers");
  o.mlp.bias_init = init::zeros();
  o.mlp.activation = args.get("activation", "relu", "between the channel gate's layers");
  o.gate = args.get("gate", "sigmoid", "sigmoid, hard_sigmoid or another activation");
  o.ties = read_ties(args, "cbam");
  const ChannelPlanes planes(args, light, o.ties, "cbam");
  SpatialGate::Options spatial = spatial_options(args, o.gate);
  spatial.planes = planes.count();
  if (!args.get("no_spatial", false, "the channel gate alone")) o.spatial = spatial;
  o.residual = args.get("residual", false, "adds the input to the gated map");
  return std::make_unique<Cbam>(scope, o, planes);
}

}  // namespace fovea
