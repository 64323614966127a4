// Folds a norm with fixed statistics into the convolution before it, whose only reader it must be. The norm is s x + t for each channel, so
// s (W * v + b) + t = (s W) * v + (s b + t): scaled weights and another bias. Products are taken in f64 and rounded once.
#include <fmt/core.h>

#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {
namespace {

// Scales the outputs of a weight: axis 0, or the second one within its group when transposed (I x O/groups x kh x kw).
Tensor scaled(const Tensor& weight, const Tensor& scale, const dnn::Conv& c) {
  const Tensor w = weight.to(DType::f32).contiguous(Layout::row_major);
  Tensor out = Tensor::empty(w.shape());
  const std::int64_t rows = w.dim(0), columns = c.transposed ? w.dim(1) : 1, area = w.size() / (rows * columns);
  const std::int64_t rows_of_group = rows / c.groups;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t k = 0; k < columns; ++k) {
      const double s = scale.data<double>()[c.transposed ? r / rows_of_group * columns + k : r];
      const float* from = w.data<float>() + (r * columns + k) * area;
      float* to = out.data<float>() + (r * columns + k) * area;
      for (std::int64_t i = 0; i < area; ++i) to[i] = static_cast<float>(static_cast<double>(from[i]) * s);
    }
  return out;
}

// t: scale, shift and the bias of the convolution or none.
Tensor folded_bias(const Tensors& t) {
  Tensor out = t[1].clone();
  if (!t[2].defined()) return out;
  const auto before = t[2].values();
  for (std::size_t i = 0; i < before.size(); ++i) out.data<double>()[i] += t[0].data<double>()[i] * before[i];
  return out;
}

}  // namespace

void fold_norms(Graph& g) {
  for (Node& n : g.nodes) {
    auto* norm = as<FusedElementwise>(&n);
    if (!norm || norm->ops.front().kind != ElementwiseOp::Kind::affine) continue;
    Node* before = g.producer(n.inputs[0]);
    auto* conv = as<Convolve>(before);
    if (!conv || conv->after || before->inputs[3] >= 0 || !g.only_for(n.inputs[0], n)) continue;
    const ElementwiseOp& affine = norm->ops.front();
    const Id scale = n.inputs[affine.operand], shift = n.inputs[affine.shift], weight = before->inputs[1];
    before->inputs[1] = g.add_constant(
        g.shape(weight), {weight, scale}, [options = conv->options](const Tensors& t) { return scaled(t[0], t[1], options); },
        fmt::format("scaled{}{}", conv->options.groups, conv->options.transposed ? "t" : ""));
    before->inputs[2] = g.add_constant(g.shape(shift), {scale, shift, before->inputs[2]}, folded_bias, "folded bias");
    before->outputs = n.outputs;
    before->op_names.insert(before->op_names.end(), n.op_names.begin(), n.op_names.end());
    n.dead = true;
  }
  g.remove_dead();
}

}  // namespace fovea::plan
