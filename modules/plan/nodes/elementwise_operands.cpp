#include "modules/plan/nodes/elementwise_operands.hpp"

#include <algorithm>

namespace fovea::plan {

std::vector<ElementwiseKernel::Operand> operand_types(const Graph& g, const Node& n) {
  std::vector<ElementwiseKernel::Operand> out;
  for (const Id id : n.inputs) out.push_back({g.shape(id), g.value(id).type});
  return out;
}

std::vector<BufferRef> operands(Emitter& e, const Node& n, const ElementwiseOps& ops, const Shape& full) {
  std::vector<BufferRef> inputs{e.at(n.inputs[0])};
  for (std::size_t i = 1; i < n.inputs.size(); ++i) {
    const bool channels = std::any_of(ops.begin(), ops.end(), [&](const ElementwiseOp& op) {
      return op.kind == ElementwiseOp::Kind::affine && (op.operand == i || op.shift == i);
    });
    inputs.push_back(channels ? e.operand(n.inputs[i]) : e.operand(n.inputs[i], full));
  }
  return inputs;
}

}  // namespace fovea::plan
