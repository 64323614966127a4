// Rematerialization: computes a gated map again in every reader instead of storing it, since x * gate is one multiplication on data that is
// read anyway, where the stored map would be written and read once more. Elementwise work with cheap ops and small operands is put in front
// of all readers if each of them can take it: elementwise nodes, and reductions of the channels. CBAM's x * channel_gate, which the channel
// reduction of the spatial gate and the final product read, is never stored.
#include <algorithm>

#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {
namespace {

bool cheap(const Graph& g, const Node& n) {
  const Shape& full = g.shape(n.outputs[0]);
  for (std::size_t i = 1; i < n.inputs.size(); ++i)
    if (g.shape(n.inputs[i]).elements() * 4 > full.elements()) return false;
  const ElementwiseOps& ops = std::get<FusedElementwise>(n.work).ops;
  return std::all_of(ops.begin(), ops.end(), [](const ElementwiseOp& op) {
    using Kind = dnn::Eltwise::Kind;
    if (op.kind != ElementwiseOp::Kind::pointwise) return op.kind != ElementwiseOp::Kind::broadcast;
    return op.pointwise.eltwise && (op.pointwise.eltwise->kind == Kind::relu || op.pointwise.eltwise->kind == Kind::clip);
  });
}

bool can_take(Graph& g, const Node& n, Node& reader) {
  const Id value = n.outputs.front();
  return reader.prologue(g) && can_fuse(n, reader) && reader.inputs[0] == value &&
         std::count(reader.inputs.begin(), reader.inputs.end(), value) == 1;
}

bool rematerialize(Graph& g, Node& n) {
  const Id value = n.outputs.front();
  if (!as<FusedElementwise>(&n) || g.value(value).kept || !cheap(g, n)) return false;
  const auto readers = g.users(value);
  if (!std::all_of(readers.begin(), readers.end(), [&](Node* r) { return can_take(g, n, *r); })) return false;
  for (Node* r : readers) prepend_ops(n, *r, *r->prologue(g));
  n.dead = true;
  return true;
}

}  // namespace

void rematerialize_gates(Graph& g) { until_fixpoint(g, rematerialize); }

}  // namespace fovea::plan
