// The operands of a node's elementwise ops, for its kernel and its step.
#pragma once

#include <array>

#include "modules/plan/emit.hpp"
#include "modules/plan/kernels/elementwise.hpp"

namespace fovea::plan {

// Shapes and types of the inputs of `n`.
std::vector<ElementwiseKernel::Operand> operand_types(const Graph& g, const Node& n);
// Where the inputs of `n` lie; those after the first broadcast to `full`, unless they are the constants of an affine op.
std::vector<BufferRef> operands(Emitter& e, const Node& n, const ElementwiseOps& ops, const Shape& full);

// The addresses of the inputs during a run.
class Operands {
 public:
  Operands(Run& r, const std::vector<BufferRef>& inputs) {
    for (std::size_t i = 0; i < inputs.size(); ++i) pointers_[i] = r.source(inputs[i]);
  }
  const void* const* data() const { return pointers_.data(); }
  const void* operator[](std::size_t i) const { return pointers_[i]; }

 private:
  std::array<const void*, kMaxOperands> pointers_{};  // on the stack: a run allocates nothing
};

}  // namespace fovea::plan
