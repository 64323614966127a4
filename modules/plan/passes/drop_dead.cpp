// Removes dead code. From the last node to the first: a node is live if one of its outputs is an output of the plan, a kept tap, or an input
// of a live node. Nodes that compute only an attention map that is not kept disappear.
#include <vector>

#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {

void drop_dead(Graph& g) {
  std::vector<bool> wanted(g.values.size());
  for (std::size_t i = 0; i < g.values.size(); ++i) wanted[i] = g.values[i].kept;
  for (auto n = g.nodes.rbegin(); n != g.nodes.rend(); ++n) {
    bool lives = false;
    for (const Id id : n->outputs) lives |= id >= 0 && wanted[static_cast<std::size_t>(id)];
    n->dead |= !lives;
    if (n->dead) continue;
    for (const Id id : n->inputs)
      if (id >= 0) wanted[static_cast<std::size_t>(id)] = true;
  }
  g.remove_dead();
}

}  // namespace fovea::plan
