// Maximum and mean over the channels, after elementwise operations. Inputs: x (N, C, H, W) and the operands; output (N, 2, H, W).
#pragma once

#include "modules/plan/nodes/elementwise_op.hpp"

namespace fovea::plan {

struct ChannelReduce : Work {  // made by AxisReduce::lower
  bool mean_first;
  ElementwiseOps ops;

  explicit ChannelReduce(bool mean_before_maximum) : mean_first(mean_before_maximum) {}
  bool reads_bf16(const Graph& g, const Node& n, std::size_t input) const;  // an input of the shape of x
  ElementwiseOps* prologue(const Graph& g, const Node& n);
  std::unique_ptr<Step> emit(const Node& n, Emitter& e) const;
};

}  // namespace fovea::plan
