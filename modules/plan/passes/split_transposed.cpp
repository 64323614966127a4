// Computes a transposed convolution of stride s by its phases. Output position s q + r reads input positions q + d with the kernel element
// r + pad - s d: each of the s x s values of r is a small ordinary convolution. All of them are one convolution with s x s times the outputs,
// and one strided copy interleaves the phases. oneDNN's transposed convolution of 64 maps to 32 by 4 x 4, stride 2, reaches 9
// GFLOP/s where ordinary ones reach 240 (AVX-512, one thread), so that the zeros which this adds do not matter.
#include <fmt/core.h>

#include <array>

#include "modules/plan/convolution.hpp"
#include "modules/plan/passes/passes.hpp"

namespace fovea::plan {
namespace {

std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

// One axis of the ordinary convolution: a result reads the input positions from `first` to `last`.
struct Axis {
  std::int64_t stride, pad, kernel, first, last;
  Axis(const dnn::Conv& c, std::size_t i, std::int64_t size)
      : stride(c.stride[i]),
        pad(c.pad_begin[i]),
        kernel(size),
        first(-floor_divide(size - 1 - pad, stride)),
        last(floor_divide(stride - 1 + pad, stride)) {}
  std::int64_t size() const { return last - first + 1; }
  // The element of the kernel that phase `r` applies at the `i`th input position; -1 for none.
  std::int64_t element(std::int64_t r, std::int64_t i) const {
    const std::int64_t k = r + pad - stride * (first + i);
    return k >= 0 && k < kernel ? k : -1;
  }
};

// (s s O) x I x kh x kw from I x O x kh x kw: phase by phase.
Tensor by_phases(const Tensor& weight, const Axis& rows, const Axis& columns) {
  const Tensor w = weight.to(DType::f32).contiguous(Layout::row_major);
  const std::int64_t in = w.dim(0), out = w.dim(1), phases = rows.stride * columns.stride;
  Tensor to = Tensor::zeros({phases * out, in, rows.size(), columns.size()});
  float* at = to.data<float>();
  for (std::int64_t p = 0; p < phases; ++p)
    for (std::int64_t o = 0; o < out; ++o)
      for (std::int64_t i = 0; i < in; ++i)
        for (std::int64_t a = 0; a < rows.size(); ++a)
          for (std::int64_t b = 0; b < columns.size(); ++b, ++at) {
            const std::int64_t r = rows.element(p / columns.stride, a), c = columns.element(p % columns.stride, b);
            if (r >= 0 && c >= 0) *at = w.data<float>()[((i * out + o) * rows.kernel + r) * columns.kernel + c];
          }
  return to;
}

Tensor repeated(const Tensor& bias, std::int64_t times) {
  const auto one = bias.to(DType::f64).values();
  std::vector<double> all;
  for (std::int64_t i = 0; i < times; ++i) all.insert(all.end(), one.begin(), one.end());
  return Tensor::from(all, {static_cast<std::int64_t>(all.size())});
}

// The copy from N x (s s O) x H x W to N x O x sH x sW.
StridedCopy interleave(const Shape& z, const Axis& rows, const Axis& columns) {
  const std::int64_t n = z[0], h = z[2], w = z[3], a = rows.stride, b = columns.stride, o = z[1] / (a * b);
  const StridedView phases = StridedView::of(z).permuted({0, 2, 3, 1});
  const auto split = phases.reshaped({n, h, w, a, b, o});
  const Shape y{n, o, h * a, w * b};
  return split->permuted({0, 5, 1, 3, 2, 4}).reshaped(y)->copy_to(y, {0, 0, 0, 0});
}

bool can_split(const Graph& g, const Node& n, const Convolve& c) {
  const Shape &x = g.shape(n.inputs[0]), &y = g.shape(n.outputs[0]);
  const dnn::Conv& o = c.options;
  const bool strides = o.stride[0] * o.stride[1] > 1 && y[2] % o.stride[0] == 0 && y[3] % o.stride[1] == 0;
  return !c.linear && o.transposed && o.groups == 1 && o.dilation == std::array<std::int64_t, 2>{1, 1} && strides &&
         n.inputs[3] < 0 && x.elements() > 0;
}

// Makes `n` the ordinary convolution and `copy` the strided copy; false where oneDNN has no fast kernel for it.
bool split(Graph& g, Node& n, Node& copy) {
  auto* c = as<Convolve>(&n);
  if (!c || !can_split(g, n, *c)) return false;
  const Shape x = g.shape(n.inputs[0]), w = g.shape(n.inputs[1]), y = g.shape(n.outputs[0]);
  const Axis rows(c->options, 0, w[2]), columns(c->options, 1, w[3]);
  Convolve ordinary({}, c->after);
  const std::int64_t phases = rows.stride * columns.stride;
  const Shape z{y[0], phases * y[1], y[2] / rows.stride, y[3] / columns.stride};
  ordinary.options.pad_begin = {-rows.first, -columns.first};
  ordinary.options.pad_end = {z[2] - x[2] + rows.last, z[3] - x[3] + columns.last};
  if (ordinary.options.pad_end[0] < 0 || ordinary.options.pad_end[1] < 0) return false;
  Node made{ordinary, n.inputs, {g.add(z)}, n.path, n.op_names, n.multiply_adds};
  made.inputs[1] = g.add_constant(
      {phases * w[1], w[0], rows.size(), columns.size()}, {n.inputs[1]},
      [rows, columns](const Tensors& t) { return by_phases(t[0], rows, columns); },
      fmt::format("phases{},{},{},{}", rows.stride, rows.pad, columns.stride, columns.pad));
  if (n.inputs[2] >= 0)
    made.inputs[2] = g.add_constant(
        {phases * w[1]}, {n.inputs[2]}, [phases](const Tensors& t) { return repeated(t[0], phases); },
        fmt::format("repeated{}", phases));
  if (!dnn::PreparedConv::make(bare_convolution(g, made, ordinary))) return false;
  copy = {Copy({{0, interleave(z, rows, columns)}}), made.outputs, n.outputs, n.path, {"phases"}};
  n = std::move(made);
  return true;
}

}  // namespace

void split_transposed(Graph& g) {
  std::vector<Node> nodes;
  for (Node& n : g.nodes) {
    Node copy;
    const bool done = split(g, n, copy);
    nodes.push_back(std::move(n));
    if (done) nodes.push_back(std::move(copy));
  }
  g.nodes = std::move(nodes);
}

}  // namespace fovea::plan
