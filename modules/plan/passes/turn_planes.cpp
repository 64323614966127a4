// Lets a convolution of a few planes to one write its result with rows and columns in each other's place, where that is how it is
// wanted: triplet attention's gate for (channel, column) lies channel by channel for each column. The copy between is dropped.
#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {
namespace {

// Whether the copy puts columns in front of rows, in every sample.
bool turns(const Move& m, const Shape& y) {
  const std::int64_t samples = y[0], rows = y[2], columns = y[3];
  if (m.from || m.to || m.dims.size() != (samples > 1 ? 3u : 2u) || m.elements() != samples * rows * columns) return false;
  const Move::Dim &outer = m.dims[m.dims.size() - 2], &inner = m.dims.back();
  return outer.size == columns && outer.read == 1 && outer.write == rows && inner.size == rows && inner.read == columns &&
         inner.write == 1;
}

bool turn(Mutable& g, Node& n) {
  const auto* copy = as<Copy>(&n);
  if (!copy || copy->pieces.size() != 1) return false;
  Node* conv = g.producer(n.inputs[0]);
  auto* work = as<Convolve>(conv);
  if (!work || !work->planes || work->planes->turned || !g.only_for(n.inputs[0], n)) return false;
  if (!turns(copy->pieces[0].move, work->planes->x)) return false;
  work->planes->turned = true;
  conv->outputs = n.outputs;
  conv->ops.insert(conv->ops.end(), n.ops.begin(), n.ops.end());
  n.dead = true;
  return true;
}

}  // namespace

void turn_planes(Mutable& g) { until_still(g, turn); }

}  // namespace fovea::plan
