// Folds a transpose of rows and columns into the single-output convolution before it, which can write its result transposed: triplet
// attention's gate over (channel, column) is wanted with the channels innermost. The copy is removed.
#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {
namespace {

// Whether the copy transposes rows and columns of every sample of y.
bool transposes(const StridedCopy& c, const Shape& y) {
  const std::int64_t samples = y[0], rows = y[2], columns = y[3];
  if (c.from || c.to || c.dims.size() != (samples > 1 ? 3u : 2u) || c.elements() != samples * rows * columns) return false;
  const StridedCopy::Dim &outer = c.dims[c.dims.size() - 2], &inner = c.dims.back();
  return outer.size == columns && outer.read == 1 && outer.write == rows && inner.size == rows && inner.read == columns &&
         inner.write == 1;
}

bool fold(Graph& g, Node& n) {
  const auto* copy = as<Copy>(&n);
  if (!copy || copy->pieces.size() != 1) return false;
  Node* conv = g.producer(n.inputs[0]);
  auto* work = as<Convolve>(conv);
  if (!work || !work->single_output || work->single_output->transposed || !g.only_for(n.inputs[0], n)) return false;
  if (!transposes(copy->pieces[0].copy, work->single_output->x)) return false;
  work->single_output->transposed = true;
  conv->outputs = n.outputs;
  conv->op_names.insert(conv->op_names.end(), n.op_names.begin(), n.op_names.end());
  n.dead = true;
  return true;
}

}  // namespace

void fold_transposes(Graph& g) { until_fixpoint(g, fold); }

}  // namespace fovea::plan
