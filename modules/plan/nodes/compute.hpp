// A kernel of an op, bound to the shapes and strides of the inputs.
#pragma once

#include "modules/plan/work.hpp"

namespace fovea::plan {

struct Compute : Work {
  role::Computation::Bound bound;
  std::vector<std::int64_t> offsets;  // of the first element of each input
  bool row_major;                     // reads constants of rank 4 row-major

  explicit Compute(bool row_major_constants) : row_major(row_major_constants) {}
  static bool lower(Lowerer& l, Node& n, const role::Computation& r);
  std::size_t workspace_bytes(const Graph&, const Node&, bool) const {
    return static_cast<std::size_t>(bound.workspace) * sizeof(float);
  }
  std::unique_ptr<Step> emit(const Node& n, Emitter& e) const;
};

}  // namespace fovea::plan
