// Joins pointwise chains: where a chain reads what another chain made and nobody else does, their links become one chain, which runs in
// one pass over memory. That is how relu(x * channel_gate * spatial_gate + identity) becomes one step. Where both sides of a sum (or of
// another function of two maps) are chains, the second runs beside the first: x * channel_gate + x * spatial_gate is one pass, too.
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

// Takes the operand at `index` out of a chain that does not read it any more.
void forget(Node& n, Links& links, std::size_t index) {
  n.inputs.erase(n.inputs.begin() + static_cast<std::ptrdiff_t>(index));
  for (Link& l : links)
    for (std::size_t* at : {&l.operand, &l.shift}) *at -= *at > index ? 1 : 0;
}

// Whether the chain that makes `id` can run beside the one of `n`, its only reader. Chains of that kind do not nest.
Node* runs_beside(Mutable& g, const Node& n, Id id) {
  Node* before = g.producer(id);
  const auto* chain = before ? std::get_if<Sweep>(&before->work) : nullptr;
  if (!chain || g.shape(id) != g.shape(n.outputs[0]) || !g.only_for(id, n) || !joins(*before, n)) return nullptr;
  const auto plain = [](const Link& l) { return l.kind != Link::Kind::aside && l.kind != Link::Kind::spread; };
  return std::all_of(chain->links.begin(), chain->links.end(), plain) ? before : nullptr;
}

// Replaces a link that reads another chain's map by that chain, between an aside link and a back link.
bool beside(Mutable& g, Node& n, Links& links) {
  bool aside = false;
  for (std::size_t i = 0; i < links.size(); ++i) {
    aside = links[i].kind == Link::Kind::aside || (aside && links[i].kind != Link::Kind::back);
    if (links[i].kind != Link::Kind::binary || aside) continue;
    Node* before = runs_beside(g, n, n.inputs[links[i].operand]);
    if (!before) continue;
    const std::size_t shift = n.inputs.size(), read = links[i].operand;
    Links between{{.kind = Link::Kind::aside, .operand = shift}};
    for (Link l : std::get<Sweep>(before->work).links) {
      l.operand += shift, l.shift += shift;
      between.push_back(l);
    }
    between.push_back({.kind = Link::Kind::back, .binary = links[i].binary});
    links.erase(links.begin() + static_cast<std::ptrdiff_t>(i));
    links.insert(links.begin() + static_cast<std::ptrdiff_t>(i), between.begin(), between.end());
    n.inputs.insert(n.inputs.end(), before->inputs.begin(), before->inputs.end());
    forget(n, links, read);
    n.ops.insert(n.ops.begin(), before->ops.begin(), before->ops.end());
    n.multiply_adds += before->multiply_adds;
    before->dead = true;
    return true;
  }
  return false;
}

bool fuse(Mutable& g, Node& n) {
  auto* sweep = as<Sweep>(&n);
  if (!sweep) return false;
  for (int side = 0; side < 2; ++side) {
    if (side == 1 && !turn_round(g, n)) return beside(g, n, sweep->links);
    Node* before = g.producer(n.inputs[0]);
    if (!as<Sweep>(before) || !g.only_for(n.inputs[0], n) || !joins(*before, n)) continue;
    prepend(*before, n, sweep->links);
    before->dead = true;
    return true;
  }
  turn_round(g, n);
  return beside(g, n, sweep->links);
}

}  // namespace

void fuse_chains(Mutable& g) { until_still(g, fuse); }

}  // namespace fovea::plan
