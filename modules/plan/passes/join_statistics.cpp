// Mean and maximum of one map in one pass over it: where two nodes ask for different statistics of the same value, the first gives both.
#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {

void join_statistics(Mutable& g) {
  for (Node& n : g.nodes) {
    if (!as<GlobalStatistics>(&n)) continue;
    for (Node* other : g.users(n.inputs[0])) {
      if (other <= &n || !as<GlobalStatistics>(other)) continue;
      const bool apart = (n.outputs[0] < 0 || other->outputs[0] < 0) && (n.outputs[1] < 0 || other->outputs[1] < 0);
      if (!apart) continue;
      for (std::size_t i : {0, 1})
        if (other->outputs[i] >= 0) n.outputs[i] = other->outputs[i];
      n.ops.insert(n.ops.end(), other->ops.begin(), other->ops.end());
      other->dead = true;
    }
  }
  g.sweep_dead();
}

}  // namespace fovea::plan
