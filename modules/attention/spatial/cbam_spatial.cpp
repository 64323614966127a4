// CBAM's spatial gate: y = x * sigmoid(bn(conv_7x7 [max_C x; mean_C x])). Woo et al. 2018, arXiv:1807.06521.
// Parameters conv.weight, conv.bias, bn.*. Tap "spatial": N x 1 x H x W.
#include "modules/attention/spatial/spatial_gate.hpp"
#include "modules/nn/gate_mlp.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"

namespace fovea {
namespace {

class CbamSpatial final : public MapBlock {
 public:
  CbamSpatial(const Scope& s, const SpatialGate::Options& o, const ChannelPlanes& planes, bool residual)
      : MapBlock(s), planes_(planes), gate_(s, o), residual_(residual) {}

 protected:
  Var forward(const Var& x) const override {
    const Var y = x * tap("spatial", gate_(planes_(x)));
    return residual_ ? x + y : y;
  }

 private:
  ChannelPlanes planes_;
  SpatialGate gate_;
  bool residual_;
};

}  // namespace

FOVEA_BLOCK(cbam_spatial, "a gate for every position from the channels' maximum and mean", "Woo et al. 2018, arXiv:1807.06521") {
  const bool light = args.get("light", false, "one plane, 0.5 (max + mean), instead of two");
  const ChannelPlanes planes(args, light, read_ties(args, "cbam_spatial"), "cbam_spatial");
  SpatialGate::Options o;
  o.planes = planes.count();
  o.kernel = args.get("kernel", 7, "side of the convolution, odd");
  o.bn = args.get("bn", true, "batch norm behind the convolution");
  o.bias = args.get("bias", false, "bias of the convolution");
  o.gate = args.get("gate", "sigmoid", "sigmoid, hard_sigmoid or another activation");
  o.momentum = args.get("momentum", 0.01, "of the running statistics");
  const bool residual = args.get("residual", false, "adds the input to the gated map");
  check(o.kernel > 0 && o.kernel % 2 == 1, "cbam_spatial: expected an odd kernel, got ", o.kernel);
  return std::make_unique<CbamSpatial>(scope, o, planes, residual);
}

}  // namespace fovea
