// Chooses the kernel of every convolution (algorithm.hpp). Runs last, since the choice depends on shapes, types and what was fused.
#include "modules/plan/algorithm.hpp"
#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {

void choose_algorithms(Graph& g, bool tune) {
  for (Node& n : g.nodes)
    if (auto* c = as<Convolve>(&n)) c->algorithm = algorithm_for(g, n, *c, tune);
}

}  // namespace fovea::plan
