// Reductions of single axes with one read of the map. x (N, C, H, W) -> one output for each of `axes`, as role::ReducedAxis says.
#pragma once

#include "modules/plan/work.hpp"

namespace fovea::plan {

struct AxisReduce : Work {
  std::vector<role::ReducedAxis> axes;

  explicit AxisReduce(std::vector<role::ReducedAxis> a) : axes(std::move(a)) {}
  static bool lower(Lowerer& l, Node& n, const role::AxisReduce& r);
  bool reads_bf16(const Graph&, const Node&, std::size_t) const { return true; }
  std::size_t workspace_bytes(const Graph& g, const Node& n, bool in_place) const;
  std::unique_ptr<Step> emit(const Node& n, Emitter& e) const;
};

}  // namespace fovea::plan
