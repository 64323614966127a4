// Gives pointwise work to the convolution whose output it reads, in the order that a convolution can do it: first the sum with a map of
// its output's shape (the residual), then one function that oneDNN knows. Repeated until nothing more fits. Only where nobody else
// sees what the convolution gave; of two convolutions that are summed, the first takes the other's output.
#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {
namespace {

// What `conv` gives once it has taken over the chain's only link; false where it cannot.
bool takes(const Mutable& g, const Node& sweep, Node& conv) {
  auto& work = std::get<Convolve>(conv.work);
  const Link& link = std::get<Sweep>(sweep.work).links.front();
  if (work.after) return false;
  if (link.kind == Link::Kind::pointwise) {
    if (!link.pointwise.eltwise) return false;
    work.after = link.pointwise;
    return true;
  }
  const bool residual = !work.planes && link.kind == Link::Kind::binary && link.binary.sum && conv.inputs[3] < 0 &&
                        !g.constant(sweep.inputs[1]) && g.shape(sweep.inputs[1]) == g.shape(sweep.inputs[0]);
  if (residual) conv.inputs[3] = sweep.inputs[1];
  return residual;
}

bool fuse(Mutable& g, Node& n) {
  auto* sweep = as<Sweep>(&n);
  if (!sweep || sweep->links.size() != 1) return false;
  for (int side = 0; side < 2; ++side) {
    if (side == 1 && !turn_round(g, n)) return false;
    Node* conv = g.producer(n.inputs[0]);
    if (!as<Convolve>(conv) || !g.only_for(n.inputs[0], n)) continue;
    Node merged = *conv;
    if (!takes(g, n, merged)) continue;
    merged.outputs = n.outputs;
    merged.ops.insert(merged.ops.end(), n.ops.begin(), n.ops.end());
    conv->dead = true;
    n = std::move(merged);  // at the chain's place, where the residual is there
    return true;
  }
  turn_round(g, n);
  return false;
}

}  // namespace

void fuse_convolutions(Mutable& g) { until_still(g, fuse); }

}  // namespace fovea::plan
