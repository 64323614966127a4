// Constant folding. A node that depends on parameters alone (position tables, normalised weights) becomes the ConstantExpr of its outputs,
// which is computed before the first run and again when a parameter has changed.
#include <algorithm>

#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {

void fold_constants(Graph& g) {
  for (Node& n : g.nodes) {
    const auto* eager = std::get_if<Eager>(&n.work);
    if (!eager || n.inputs.empty()) continue;
    if (!std::all_of(n.inputs.begin(), n.inputs.end(), [&](Id id) { return g.constant(id); })) continue;
    for (std::size_t i = 0; i < n.outputs.size(); ++i)
      g.value(n.outputs[i]).constant =
          std::make_shared<ConstantExpr>(ConstantExpr{{}, n.inputs, [op = eager->op, i](const Tensors& in) {
                                                        Context nothing_saved;
                                                        return op->forward(nothing_saved, in).at(i);
                                                      }});
    n.dead = true;
  }
  g.remove_dead();
}

}  // namespace fovea::plan
