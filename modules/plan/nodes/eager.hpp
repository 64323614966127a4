// An op without a role, or whose role does not fit its inputs: a run calls its own forward.
#pragma once

#include "modules/autograd/op.hpp"
#include "modules/plan/work.hpp"

namespace fovea::plan {

struct Eager : Work {
  std::shared_ptr<const Op> op;

  explicit Eager(std::shared_ptr<const Op> o = nullptr) : op(std::move(o)) {}
  bool allocates() const { return true; }
  std::unique_ptr<Step> emit(const Node& n, Emitter& e) const;
};

}  // namespace fovea::plan
