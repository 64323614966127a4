// Fuses elementwise work into the convolution whose output it reads, in the order in which a convolution can do it: first the sum with a map
// of the output's shape (the residual), then one function that is a oneDNN post-op. Repeated until nothing more fits. Only where the
// elementwise node is the convolution's only reader; of two convolutions that are summed, the first takes the other's output as residual.
#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {
namespace {

// Adds the only op of an elementwise node to `conv`; false, with `conv` unchanged, where that is not possible.
bool absorb(const Graph& g, const Node& fused, Node& conv) {
  auto& work = std::get<Convolve>(conv.work);
  const ElementwiseOp& op = std::get<FusedElementwise>(fused.work).ops.front();
  if (work.after) return false;
  if (op.kind == ElementwiseOp::Kind::pointwise) {
    if (!op.pointwise.eltwise) return false;
    work.after = op.pointwise;
    return true;
  }
  const bool residual = !work.single_output && op.kind == ElementwiseOp::Kind::binary && op.binary.sum && conv.inputs[3] < 0 &&
                        !g.constant(fused.inputs[1]) && g.shape(fused.inputs[1]) == g.shape(fused.inputs[0]);
  if (residual) conv.inputs[3] = fused.inputs[1];
  return residual;
}

bool fuse(Graph& g, Node& n) {
  auto* fused = as<FusedElementwise>(&n);
  if (!fused || fused->ops.size() != 1) return false;
  for (int side = 0; side < 2; ++side) {
    if (side == 1 && !swap_operands(g, n)) return false;
    Node* conv = g.producer(n.inputs[0]);
    if (!as<Convolve>(conv) || !g.only_for(n.inputs[0], n)) continue;
    Node merged = *conv;
    if (!absorb(g, n, merged)) continue;
    merged.outputs = n.outputs;
    merged.op_names.insert(merged.op_names.end(), n.op_names.begin(), n.op_names.end());
    conv->dead = true;
    n = std::move(merged);  // at the position of the elementwise node, where the residual has been computed
    return true;
  }
  swap_operands(g, n);
  return false;
}

}  // namespace

void fuse_convolutions(Graph& g) { until_fixpoint(g, fuse); }

}  // namespace fovea::plan
