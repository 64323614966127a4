// Moves changes of shape behind pointwise work, so that a layer and its activation meet: relu(view(x)) becomes view(relu(x)), and
// view(a) + view(b) becomes view(a + b) where a and b have one shape. The elements and their order are the same either way.
#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {
namespace {

// Whether `id` is a view that only `reader` looks at.
Node* own_view(Mutable& g, Id id, const Node& reader) {
  Node* n = g.producer(id);
  const bool whole = as<View>(n) && g.shape(n->inputs[0]).elements() == g.shape(id).elements();
  return whole && g.only_for(id, reader) ? n : nullptr;
}

bool sink(Mutable& g, Node& n) {
  auto* sweep = as<Sweep>(&n);
  if (!sweep || sweep->links.size() != 1 || sweep->links[0].kind == Link::Kind::affine) return false;
  std::vector<Node*> views{own_view(g, n.inputs[0], n)};
  if (n.inputs.size() > 1) views.push_back(own_view(g, n.inputs[1], n));
  for (const Node* v : views)
    if (!v || g.shape(v->inputs[0]) != g.shape(views[0]->inputs[0])) return false;
  // The last of the views stands behind everything that the chain reads: they swap.
  Node* place = views.back() > views.front() ? views.back() : views.front();
  Node moved{*sweep, {}, {g.add(g.shape(views[0]->inputs[0]))}, n.path, n.ops, n.multiply_adds};
  for (const Node* v : views) moved.inputs.push_back(v->inputs[0]);
  Node view{View{}, moved.outputs, n.outputs, place->path, place->ops};
  for (Node* v : views) v->dead = v != place;
  *place = std::move(moved);
  n = std::move(view);
  return true;
}

}  // namespace

void sink_views(Mutable& g) { until_still(g, sink); }

}  // namespace fovea::plan
