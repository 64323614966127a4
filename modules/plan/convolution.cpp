#include "modules/plan/convolution.hpp"

namespace fovea::plan {
namespace {

Shape as_map(const Shape& s) {
  const std::int64_t channels = s[s.rank() - 1];
  return {1, channels, 1, s.elements() / channels};
}

}  // namespace

dnn::ConvSpec bare_convolution(const Graph& g, const Node& n, const Convolve& c) {
  const Shape &x = g.shape(n.inputs[0]), &w = g.shape(n.inputs[1]), &y = g.shape(n.outputs[0]);
  dnn::ConvSpec spec{.conv = c.options, .x = x, .w = w, .y = y, .bias = n.inputs[2] >= 0};
  if (c.linear) spec.x = as_map(x), spec.w = {w[0], w[1], 1, 1}, spec.y = as_map(y);
  spec.conv.activation = dnn::Activation::none;
  spec.from = g.value(n.inputs[0]).type, spec.to = g.value(n.outputs[0]).type;
  return spec;
}

dnn::ConvSpec fused_convolution(const Graph& g, const Node& n, const Convolve& c, bool in_place) {
  dnn::ConvSpec spec = bare_convolution(g, n, c);
  using Residual = dnn::ConvSpec::Residual;
  if (n.inputs[3] >= 0) spec.residual = in_place ? Residual::in_place : Residual::read;
  if (c.after) spec.after = c.after->eltwise;
  return spec;
}

SingleOutputConv single_output_conv(const Graph& g, const Node& n, const Convolve& c) {
  const Convolve::SingleOutput& s = *c.single_output;
  return {c.options, s.x, g.shape(n.inputs[1]), s.strides, s.offset, s.transposed};
}

std::optional<Gemv> gemv_of(const Graph& g, const Node& n, const Convolve& c) {
  const Shape &x = g.shape(n.inputs[0]), &w = g.shape(n.inputs[1]), &y = g.shape(n.outputs[0]);
  const dnn::Conv& o = c.options;
  const bool plain =
      c.linear || (o.groups == 1 && !o.transposed && w[2] * w[3] == 1 && y.elements() * w[1] == x.elements() * w[0]);
  const Gemv d{x.elements() / w[1], w[1], w[0]};
  if (c.single_output || !plain || !Gemv::fits(d.positions, d.in, d.out)) return std::nullopt;
  return d;
}

Tensor row_major_weight(const Tensor& w) {
  const Tensor dense = w.to(DType::f32).contiguous(Layout::row_major);
  return dense.rank() == 4 ? dense : dense.reshape({dense.dim(0), dense.dim(1), 1, 1});
}

}  // namespace fovea::plan
