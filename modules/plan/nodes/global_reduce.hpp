// Mean and maximum over all positions. x (N, C, H, W) -> mean (N, C, 1, 1), maximum (N, C, 1, 1); one of the outputs may be -1.
#pragma once

#include "modules/plan/work.hpp"

namespace fovea::plan {

struct GlobalReduce : Work {
  static bool lower(Lowerer& l, Node& n, const role::GlobalPool& r);
  bool reads_bf16(const Graph&, const Node&, std::size_t) const { return true; }
  std::size_t workspace_bytes(const Graph& g, const Node& n, bool in_place) const;
  std::unique_ptr<Step> emit(const Node& n, Emitter& e) const;
};

}  // namespace fovea::plan
