// Assigns bf16 to maps and f32 to the rest. A convolution of a map multiplies in bf16 where oneDNN has a fast kernel for that, with weights
// that are rounded once, after all folding. A map is stored in bf16 where the node that makes it can write bf16 and a node that reads it can
// read bf16. Small values stay f32 (reduced ones, gates and their layers: one value for each channel or position), and so does everything
// that a step computes internally. Where a node needs another type than a value has, a fused elementwise node without ops converts it.
// Runs last, so that fusion does not depend on the precision.
#include <map>

#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {
namespace {

// From the last node to the first: bf16 where a reader takes it. Then from the first to the last: f32 where the producer cannot write bf16.
void choose(Graph& g) {
  for (Value& v : g.values) v.type = DType::f32;
  for (auto n = g.nodes.rbegin(); n != g.nodes.rend(); ++n)
    for (std::size_t i = 0; i < n->inputs.size(); ++i) {
      const Id id = n->inputs[i];
      if (!g.constant(id) && is_large(g.shape(id)) && n->reads_bf16(g, i)) g.value(id).type = DType::bf16;
    }
  for (const Id id : g.inputs) g.value(id).type = DType::f32;
  for (const Node& n : g.nodes)
    for (const Id id : n.outputs)
      if (id >= 0 && !n.writes_bf16(g)) g.value(id).type = DType::f32;
  // A view has the type of its input.
  for (const Node& n : g.nodes)
    if (n.view_offset()) g.value(n.outputs[0]).type = g.value(n.inputs[0]).type;
}

// Whether a node has no fast kernel for the types that were chosen and leaves bf16.
bool refuse(Graph& g) {
  bool any = false;
  for (Node& n : g.nodes) any |= n.leave_bf16(g);
  return any;
}

DType wanted(const Graph& g, const Node& n, std::size_t input) {
  if (n.needs_bf16(g, input)) return DType::bf16;
  const DType type = g.value(n.inputs[input]).type;
  return type == DType::bf16 && !n.reads_bf16(g, input) ? DType::f32 : type;
}

void convert(Graph& g) {
  std::vector<Node> all;
  std::map<Id, Id> converted;  // of each value, in its other type
  for (const Node& n : g.nodes) {
    Node changed = n;
    for (std::size_t i = 0; i < n.inputs.size(); ++i) {
      const Id id = n.inputs[i];
      if (g.constant(id)) continue;
      const DType type = wanted(g, n, i);
      if (type == g.value(id).type) continue;
      if (const auto it = converted.find(id); it == converted.end()) {
        const Id copy = g.add(g.shape(id));
        g.value(copy).type = type, g.value(copy).row_major = g.value(id).row_major;
        all.push_back({FusedElementwise{}, {id}, {copy}, n.path, {type == DType::bf16 ? "to bf16" : "to f32"}});
        converted[id] = copy;
      }
      changed.inputs[i] = converted[id];
    }
    all.push_back(std::move(changed));
  }
  g.nodes = std::move(all);
}

}  // namespace

void assign_precision(Graph& g) {
  do choose(g);
  while (refuse(g));
  convert(g);
}

}  // namespace fovea::plan
