// Pooling over windows. x (N, C, H, W) -> (N, C, OH, OW).
#pragma once

#include "modules/plan/work.hpp"

namespace fovea::plan {

struct Pool2d : Work {
  role::Pool2d pool;

  explicit Pool2d(const role::Pool2d& p) : pool(p) {}
  static bool lower(Lowerer& l, Node& n, const role::Pool2d& r);
  bool reads_bf16(const Graph&, const Node&, std::size_t) const { return true; }
  bool writes_bf16(const Graph&, const Node&) const { return true; }
  std::unique_ptr<Step> emit(const Node& n, Emitter& e) const;
};

}  // namespace fovea::plan
