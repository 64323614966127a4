#include "modules/plan/nodes/fused_elementwise.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "modules/plan/kernels/elementwise.hpp"
#include "modules/plan/lower.hpp"
#include "modules/plan/nodes/elementwise_operands.hpp"

namespace fovea::plan {
namespace {

// At most one axis has more than one element, so that all layouts are the same memory.
bool one_axis(const Shape& s) {
  return std::count_if(s.begin(), s.end(), [](std::int64_t d) { return d > 1; }) <= 1;
}

// Whether a row kernel can broadcast the value over one of shape `full`: a shape of lower rank is aligned at the last axis, which is the
// innermost in memory only for constants, which are laid out for it, and for values of one axis.
bool can_broadcast(const Graph& g, Id id, const Shape& full) {
  const Shape& s = g.shape(id);
  return s.rank() <= full.rank() && (s.rank() == full.rank() || g.constant(id) || one_axis(s));
}

// The norm is x * scale + shift for each channel; this is one of the two, in f64. t: weight, bias, mean, variance.
Tensor scale_or_shift(const Tensors& t, double eps, bool scale) {
  const auto mean = t[2].values(), variance = t[3].values();
  std::vector<double> weight(mean.size(), 1), out(mean.size(), 0);
  if (t[0].defined()) weight = t[0].values();
  if (t[1].defined()) out = t[1].values();
  for (std::size_t c = 0; c < mean.size(); ++c) {
    const double factor = weight[c] / std::sqrt(variance[c] + eps);
    out[c] = scale ? factor : out[c] - mean[c] * factor;
  }
  return Tensor::from(out, {static_cast<std::int64_t>(out.size())});
}

ElementwiseKernel kernel(const Graph& g, const Node& n, const ElementwiseOps& ops) {
  return {ops, g.shape(n.outputs[0]), operand_types(g, n), g.value(n.outputs[0]).type};
}

class ElementwiseStep final : public Step {
 public:
  ElementwiseStep(ElementwiseKernel kernel, std::vector<BufferRef> inputs, BufferRef y)
      : kernel_(std::move(kernel)), inputs_(std::move(inputs)), y_(std::move(y)) {}

  void run(Run& r) const override {
    const Operands operands(r, inputs_);
    kernel_.run(r.target(y_), operands[0], operands.data());
  }
  std::string how() const override { return kernel_.empty() ? "convert" : "fused elementwise"; }

 private:
  ElementwiseKernel kernel_;
  std::vector<BufferRef> inputs_;
  BufferRef y_;
};

}  // namespace

bool FusedElementwise::lower(Lowerer& l, Node& n, const role::Pointwise& r) {
  l.channels_last(n);
  if (!l.planned(n, 0) || l.shape(n, 0).elements() == 0) return false;
  n.work = FusedElementwise({{.kind = ElementwiseOp::Kind::pointwise, .pointwise = r}});
  return true;
}

bool FusedElementwise::lower(Lowerer& l, Node& n, const role::Binary& r) {
  l.channels_last(n);
  const Shape& full = l.graph.shape(n.outputs[0]);
  if (full.elements() == 0) return false;
  const auto broadcasts = [&](std::size_t input) { return can_broadcast(l.graph, n.inputs[input], full); };
  // The input that becomes x, with the other one as operand.
  const auto set = [&](std::size_t x, ElementwiseOps ops) {
    ElementwiseOp op{.kind = ElementwiseOp::Kind::binary, .binary = r, .operand = 1};
    if (x == 1) std::swap(n.inputs[0], n.inputs[1]), std::swap(op.binary.row, op.binary.swapped);
    ops.push_back(op);
    n.work = FusedElementwise(std::move(ops));
    return true;
  };
  for (const std::size_t x : {0, 1})
    if (l.shape(n, x) == full && l.planned(n, x) && broadcasts(1 - x)) return set(x, {});
  // A value for each channel with one for each position, or with a parameter: neither has the result's shape, so one is broadcast first.
  const std::size_t x = l.planned(n, 0) ? 0 : 1;
  const bool available = l.planned(n, x) && (l.planned(n, 1 - x) || l.constant(n, 1 - x));
  if (!available || !broadcasts(0) || !broadcasts(1)) return false;
  return set(x, {{.kind = ElementwiseOp::Kind::broadcast}});
}

bool FusedElementwise::lower(Lowerer& l, Node& n, const role::Affine& r) {
  l.channels_last(n);
  const Shape x = l.shape(n, 0);
  if ((!is_map(x) && x.rank() != 2) || l.constant(n, 0) || !l.constant(n, 1) || !l.constant(n, 2)) return false;
  if (x.rank() == 2 && !l.planned(n, 0)) return false;
  const std::vector<Id> from{n.inputs[1], n.inputs[2], l.graph.add_source(r.mean), l.graph.add_source(r.variance)};
  const auto constant = [&](bool scale) {
    return l.graph.add_constant(
        {x[1]}, from, [eps = r.eps, scale](const Tensors& t) { return scale_or_shift(t, eps, scale); },
        fmt::format("{}{}", scale ? "scale" : "shift", r.eps));
  };
  const Id scale = constant(true), shift = constant(false);
  n.inputs = {n.inputs[0], scale, shift};
  n.work = FusedElementwise({{.kind = ElementwiseOp::Kind::affine, .operand = 1, .shift = 2}});
  return true;
}

bool FusedElementwise::reads_bf16(const Graph& g, const Node& n, std::size_t input) const {
  return g.shape(n.inputs[input]) == g.shape(n.outputs[0]);
}

Id FusedElementwise::in_place_input(const Node& n) const { return n.inputs[0]; }

bool FusedElementwise::can_run_in_place(const Graph& g, const Node& n) const {
  return std::count(n.inputs.begin(), n.inputs.end(), n.inputs[0]) == 1 || kernel(g, n, ops).single_group();
}

std::unique_ptr<Step> FusedElementwise::emit(const Node& n, Emitter& e) const {
  return std::make_unique<ElementwiseStep>(kernel(e.graph(), n, ops), operands(e, n, ops, e.graph().shape(n.outputs[0])),
                                           e.at(n.outputs[0]));
}

}  // namespace fovea::plan
