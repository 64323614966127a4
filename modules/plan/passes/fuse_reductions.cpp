// Fuses reductions of the same map, so that it is read once: the first node computes the results of both. The global mean and maximum fuse,
// and so do reductions of rows, columns and channels.
#include "modules/plan/kernels/axis_reduce.hpp"
#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {
namespace {

bool fuse_global(Node& n, const Node& other) {
  if (!as<GlobalReduce>(&n) || !std::holds_alternative<GlobalReduce>(other.work)) return false;
  const bool disjoint = (n.outputs[0] < 0 || other.outputs[0] < 0) && (n.outputs[1] < 0 || other.outputs[1] < 0);
  if (!disjoint) return false;
  for (std::size_t i : {0, 1})
    if (other.outputs[i] >= 0) n.outputs[i] = other.outputs[i];
  return true;
}

// The reductions that a node computes; none for nodes that are no axis reductions.
std::vector<role::ReducedAxis> axes_of(const Graph& g, const Node& n) {
  if (const auto* reduce = std::get_if<AxisReduce>(&n.work)) return reduce->axes;
  const auto* channels = std::get_if<ChannelReduce>(&n.work);
  if (!channels || !channels->ops.empty()) return {};
  return {{1, 1.0 / static_cast<double>(g.shape(n.inputs[0])[1]), true, channels->mean_first}};
}

bool fuse_axes(const Graph& g, Node& n, const Node& other) {
  std::vector<role::ReducedAxis> axes = axes_of(g, n);
  const std::vector<role::ReducedAxis> more = axes_of(g, other);
  const bool any_axis = std::holds_alternative<AxisReduce>(n.work) || std::holds_alternative<AxisReduce>(other.work);
  if (axes.empty() || more.empty() || !any_axis || axes.size() + more.size() > AxisReduceKernel::kMaxAxes) return false;
  axes.insert(axes.end(), more.begin(), more.end());
  n.work = AxisReduce(std::move(axes));
  n.outputs.insert(n.outputs.end(), other.outputs.begin(), other.outputs.end());
  return true;
}

}  // namespace

void fuse_reductions(Graph& g) {
  for (Node& n : g.nodes) {
    if (n.dead) continue;
    for (Node* other : g.users(n.inputs.empty() ? -1 : n.inputs[0])) {
      if (other <= &n || (!fuse_global(n, *other) && !fuse_axes(g, n, *other))) continue;
      n.op_names.insert(n.op_names.end(), other->op_names.begin(), other->op_names.end());
      other->dead = true;
    }
  }
  g.remove_dead();
}

}  // namespace fovea::plan
