// Computes a gated map again where it is read instead of writing it: x * gate is one multiplication on data that is read anyway, the
// map costs a pass over memory to write and another to read. A chain of cheap links whose operands are small is put in front of every
// reader when all of them can take it: other chains, and statistics over the channels. CBAM's x * channel_gate, read by the spatial
// gate's statistics and by the final product, is never stored.
#include <algorithm>

#include "modules/plan/kernels/chain.hpp"
#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {
namespace {

bool cheap(const Mutable& g, const Node& n) {
  const Shape& full = g.shape(n.outputs[0]);
  for (std::size_t i = 1; i < n.inputs.size(); ++i)
    if (g.shape(n.inputs[i]).elements() * 4 > full.elements()) return false;
  return std::all_of(std::get<Sweep>(n.work).links.begin(), std::get<Sweep>(n.work).links.end(), [](const Link& l) {
    using Kind = dnn::Eltwise::Kind;
    if (l.kind != Link::Kind::pointwise) return l.kind != Link::Kind::spread;
    return l.pointwise.eltwise && (l.pointwise.eltwise->kind == Kind::relu || l.pointwise.eltwise->kind == Kind::clip);
  });
}

Links* links_of(Node& n) {
  if (auto* sweep = as<Sweep>(&n)) return &sweep->links;
  if (auto* statistics = as<ChannelStatistics>(&n)) return &statistics->links;
  return nullptr;
}

bool takes(Mutable& g, const Node& n, Node& reader) {
  const Id value = n.outputs.front();
  const bool fits = !as<ChannelStatistics>(&reader) || g.shape(value)[1] <= Chain::kTile;
  return links_of(reader) && fits && joins(n, reader) && reader.inputs[0] == value &&
         std::count(reader.inputs.begin(), reader.inputs.end(), value) == 1;
}

bool repeat(Mutable& g, Node& n) {
  const Id value = n.outputs.front();
  if (!as<Sweep>(&n) || g.value(value).kept || !cheap(g, n)) return false;
  const auto readers = g.users(value);
  if (!std::all_of(readers.begin(), readers.end(), [&](Node* r) { return takes(g, n, *r); })) return false;
  for (Node* r : readers) prepend(n, *r, *links_of(*r));
  n.dead = true;
  return true;
}

}  // namespace

void repeat_gates(Mutable& g) { until_still(g, repeat); }

}  // namespace fovea::plan
