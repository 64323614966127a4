// Several statistics of one map in one pass over it: where two nodes ask for different statistics of the same value, the first gives
// both. Mean and maximum over all positions join, and so do statistics along rows, columns and channels.
#include "modules/plan/kernels/lines.hpp"
#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {
namespace {

bool join_global(Node& n, const Node& other) {
  if (!as<GlobalStatistics>(&n) || !std::holds_alternative<GlobalStatistics>(other.work)) return false;
  const bool apart = (n.outputs[0] < 0 || other.outputs[0] < 0) && (n.outputs[1] < 0 || other.outputs[1] < 0);
  if (!apart) return false;
  for (std::size_t i : {0, 1})
    if (other.outputs[i] >= 0) n.outputs[i] = other.outputs[i];
  return true;
}

// What a node gives along lines; nothing of others.
std::vector<role::Line> lines_of(const Mutable& g, const Node& n) {
  if (const auto* lines = std::get_if<LineStatistics>(&n.work)) return lines->lines;
  const auto* channels = std::get_if<ChannelStatistics>(&n.work);
  if (!channels || !channels->links.empty()) return {};
  return {{1, 1.0 / static_cast<double>(g.shape(n.inputs[0])[1]), true, channels->mean_first}};
}

bool join_lines(const Mutable& g, Node& n, const Node& other) {
  std::vector<role::Line> lines = lines_of(g, n);
  const std::vector<role::Line> more = lines_of(g, other);
  const bool along = std::holds_alternative<LineStatistics>(n.work) || std::holds_alternative<LineStatistics>(other.work);
  if (lines.empty() || more.empty() || !along || lines.size() + more.size() > LineKernel::kMost) return false;
  lines.insert(lines.end(), more.begin(), more.end());
  n.work = LineStatistics{std::move(lines)};
  n.outputs.insert(n.outputs.end(), other.outputs.begin(), other.outputs.end());
  return true;
}

}  // namespace

void join_statistics(Mutable& g) {
  for (Node& n : g.nodes) {
    if (n.dead) continue;
    for (Node* other : g.users(n.inputs.empty() ? -1 : n.inputs[0])) {
      if (other <= &n || (!join_global(n, *other) && !join_lines(g, n, *other))) continue;
      n.ops.insert(n.ops.end(), other->ops.begin(), other->ops.end());
      other->dead = true;
    }
  }
  g.sweep_dead();
}

}  // namespace fovea::plan
