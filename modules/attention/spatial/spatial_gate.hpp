// A gate for every position from a few pooled planes: sigmoid(bn(conv_k planes)). What CBAM's and triplet attention's gates are made of.
// Parameters conv.weight, conv.bias, bn.*; takes N x P x H x W, gives N x 1 x H x W.
#pragma once

#include <optional>

#include "modules/nn/activations.hpp"
#include "modules/nn/args.hpp"
#include "modules/nn/layers.hpp"
#include "modules/nn/norms.hpp"
#include "modules/ops/ties.hpp"

namespace fovea {

class SpatialGate {
 public:
  struct Options {
    std::int64_t planes = 2, kernel = 7;
    bool bn = true, bias = false;
    double momentum = 0.01, bn_weight = 1;
    std::string gate = "sigmoid";
    Init init = {};
  };
  SpatialGate(const Scope& scope, const Options& options);
  Var operator()(const Var& planes) const;

 private:
  Conv2d conv_;
  std::optional<BatchNorm2d> bn_;
  Pointwise gate_;
};

// How CBAM pools the channels of a map: their maximum and mean as two planes, or the half sum of both as one.
class ChannelPlanes {
 public:
  // Reads `order`: max_mean or mean_max.
  ChannelPlanes(Args& args, bool light, Ties ties, const std::string& where);
  Var operator()(const Var& x) const;
  std::int64_t count() const { return light_ ? 1 : 2; }

 private:
  bool light_, mean_first_ = false;
  Ties ties_;
};

}  // namespace fovea
