#include "modules/attention/spatial/spatial_gate.hpp"

#include "modules/ops/max_mean.hpp"
#include "modules/ops/reduce.hpp"

namespace fovea {

SpatialGate::SpatialGate(const Scope& s, const Options& o)
    : conv_(s / "conv", {.in = o.planes, .out = 1, .kernel = o.kernel, .pad = o.kernel / 2, .bias = o.bias, .init = o.init}),
      gate_(activation(o.gate, s.path())) {
  if (o.bn) bn_.emplace(s / "bn", 1, BatchNorm2d::Options{.momentum = o.momentum, .weight = o.bn_weight});
}

Var SpatialGate::operator()(const Var& planes) const {
  const Var logits = conv_(planes);
  return gate_(bn_ ? (*bn_)(logits) : logits);
}

ChannelPlanes::ChannelPlanes(Args& args, bool light, Ties ties, const std::string& where) : light_(light), ties_(ties) {
  const std::string order =
      args.get("order", "max_mean", "planes of the spatial gate: max_mean (the authors') or mean_max (timm's)");
  check(order == "max_mean" || order == "mean_max", where, ": expected order max_mean or mean_max, got '", order, "'");
  mean_first_ = order == "mean_max";
}

Var ChannelPlanes::operator()(const Var& x) const {
  const Var planes = max_mean(x, 1, mean_first_, ties_);
  return light_ ? mean(planes, {1}) : planes;
}

}  // namespace fovea
