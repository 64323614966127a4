// Moves reshapes behind elementwise work, so that a layer and its activation become neighbours and can be fused: relu(reshape(x)) becomes
// reshape(relu(x)), and reshape(a) + reshape(b) becomes reshape(a + b) where a and b have the same shape. The result has the same elements
// in the same order.
#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {
namespace {

// The node that makes `id`, if that is a reshape of all elements which only `reader` reads; else null.
Node* private_reshape(Graph& g, Id id, const Node& reader) {
  Node* n = g.producer(id);
  const bool whole = as<View>(n) && g.shape(n->inputs[0]).elements() == g.shape(id).elements();
  return whole && g.only_for(id, reader) ? n : nullptr;
}

bool sink(Graph& g, Node& n) {
  auto* fused = as<FusedElementwise>(&n);
  if (!fused || fused->ops.size() != 1 || fused->ops[0].kind == ElementwiseOp::Kind::affine) return false;
  std::vector<Node*> views{private_reshape(g, n.inputs[0], n)};
  if (n.inputs.size() > 1) views.push_back(private_reshape(g, n.inputs[1], n));
  for (const Node* v : views)
    if (!v || g.shape(v->inputs[0]) != g.shape(views[0]->inputs[0])) return false;
  // The last of the reshapes comes after everything that the elementwise node reads: these two swap their positions.
  Node* last = views.back() > views.front() ? views.back() : views.front();
  Node moved{*fused, {}, {g.add(g.shape(views[0]->inputs[0]))}, n.path, n.op_names, n.multiply_adds};
  for (const Node* v : views) moved.inputs.push_back(v->inputs[0]);
  Node view{View{}, moved.outputs, n.outputs, last->path, last->op_names};
  for (Node* v : views) v->dead = v != last;
  *last = std::move(moved);
  n = std::move(view);
  return true;
}

}  // namespace

void sink_reshapes(Graph& g) { until_fixpoint(g, sink); }

}  // namespace fovea::plan
