// Joins pointwise chains: where a chain reads what another chain made and nobody else does, their links become one chain, which runs in
// one pass over memory. That is how relu(x * channel_gate * spatial_gate + identity) becomes one step.
#include <algorithm>

#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {

void credit(Node& second, const Node& first) {
  second.ops.insert(second.ops.begin(), first.ops.begin(), first.ops.end());
  second.multiply_adds += first.multiply_adds;
  second.path = first.path;
}

bool joins(const Node& first, const Node& second) {
  const auto* sweep = std::get_if<Sweep>(&second.work);
  const bool spread = sweep && sweep->links.front().kind == Link::Kind::spread;
  return !spread && first.inputs.size() + second.inputs.size() <= kMaxOperands + 1;
}

bool turn_round(const Mutable& g, Node& n) {
  Link& first = std::get<Sweep>(n.work).links.front();
  if (first.kind != Link::Kind::binary || std::count(n.inputs.begin(), n.inputs.end(), n.inputs[first.operand]) != 1)
    return false;
  const Id other = n.inputs[first.operand];
  if (g.constant(other) || !g.value(other).known || g.shape(other) != g.shape(n.inputs[0])) return false;
  std::swap(n.inputs[0], n.inputs[first.operand]);
  std::swap(first.binary.row, first.binary.swapped);
  return true;
}

void prepend(const Node& first, Node& second, Links& links) {
  Links all = std::get<Sweep>(first.work).links;
  std::vector<Id> inputs = first.inputs;
  const std::size_t shift = inputs.size() - 1;
  inputs.insert(inputs.end(), second.inputs.begin() + 1, second.inputs.end());
  for (Link l : links) {
    if (l.kind != Link::Kind::pointwise) l.operand += shift, l.shift += shift;
    all.push_back(l);
  }
  links = std::move(all);
  second.inputs = std::move(inputs);
  credit(second, first);
}

namespace {

bool fuse(Mutable& g, Node& n) {
  auto* sweep = as<Sweep>(&n);
  if (!sweep) return false;
  for (int side = 0; side < 2; ++side) {
    if (side == 1 && !turn_round(g, n)) return false;
    Node* before = g.producer(n.inputs[0]);
    if (!as<Sweep>(before) || !g.only_for(n.inputs[0], n) || !joins(*before, n)) continue;
    prepend(*before, n, sweep->links);
    before->dead = true;
    return true;
  }
  turn_round(g, n);
  return false;
}

}  // namespace

void fuse_chains(Mutable& g) { until_still(g, fuse); }

}  // namespace fovea::plan
