#include "modules/plan/nodes/convolve.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "modules/core/threads.hpp"
#include "modules/plan/algorithm.hpp"
#include "modules/plan/convolution.hpp"
#include "modules/plan/emit.hpp"
#include "modules/plan/lower.hpp"
#include "modules/plan/steps/convolution_steps.hpp"

namespace fovea::plan {
namespace {

Winograd winograd(const Graph& g, const Node& n, const Convolve& c) {
  return {c.options, g.shape(n.inputs[0]), g.shape(n.outputs[0]), *winograd_side(c.algorithm)};
}

// The oneDNN convolution, with residual and activation where oneDNN fuses them.
struct Direct {
  std::shared_ptr<const dnn::PreparedConv> conv;
  bool fused;
};
Direct direct(const Graph& g, const Node& n, const Convolve& c, bool in_place) {
  if (auto whole = dnn::PreparedConv::make(fused_convolution(g, n, c, in_place))) return {std::move(whole), true};
  auto bare = dnn::PreparedConv::make(bare_convolution(g, n, c));
  check(bare != nullptr, n.path, ": plan: oneDNN has no fast convolution for ", g.shape(n.inputs[0]));
  return {std::move(bare), false};
}

// Residual and activation of a convolution for which oneDNN does not fuse them.
ElementwiseKernel unfused(const Graph& g, const Node& n, const Convolve& c) {
  ElementwiseOps ops;
  const ElementwiseKernel::Operand y{g.shape(n.outputs[0]), g.value(n.outputs[0]).type};
  if (n.inputs[3] >= 0) ops.push_back({.kind = ElementwiseOp::Kind::binary, .binary = sum_of_two(), .operand = 1});
  if (c.after) ops.push_back({.kind = ElementwiseOp::Kind::pointwise, .pointwise = *c.after});
  return {ops, y.shape, {y, y}, y.type};
}

// False where oneDNN has only a slow kernel: then the op's own forward runs.
bool set_if_fast(const Graph& g, Node& n, const Convolve& c) {
  if (!dnn::PreparedConv::make(bare_convolution(g, n, c))) return false;
  n.work = c;
  return true;
}

// The last axis of x must be the innermost in memory.
bool lower_linear(Lowerer& l, Node& n) {
  const bool constants = l.constant(n, 1) && l.constant(n, 2), row_major = l.graph.value(n.inputs[0]).row_major;
  const int rank = l.shape(n, 0).rank();
  if (l.constant(n, 0) || !constants || rank < 2 || (rank > 3 && !row_major) || l.shape(n, 0).elements() == 0) return false;
  Convolve c({});
  c.linear = true;
  if (!set_if_fast(l.graph, n, c)) return false;
  if (n.inputs.size() == 3) n.inputs.push_back(-1);  // no residual
  l.graph.value(n.outputs[0]).row_major = row_major;
  return true;
}

}  // namespace

bool Convolve::lower(Lowerer& l, Node& n, const role::Convolution& r) {
  l.channels_last(n);
  if (!is_map(l.shape(n, 0)) || l.constant(n, 0) || !l.constant(n, 1) || !l.constant(n, 2)) return false;
  if (n.inputs[3] >= 0 && l.constant(n, 3)) return false;
  Convolve c(r.options, r.after);
  if (!l.views.single_output_conv(n, c)) return set_if_fast(l.graph, n, c);
  n.work = c;
  return true;
}

bool Convolve::lower(Lowerer& l, Node& n, const role::Linear&) {
  return lower_linear(l, n) || l.on_row_major(n, [&](Node& other) { return lower_linear(l, other); });
}

bool Convolve::computes_bf16(const Graph& g, const Node& n) const {
  return !single_output && !f32_only && (is_large(g.shape(n.inputs[0])) || is_large(g.shape(n.outputs[0])));
}

bool Convolve::reads_bf16(const Graph& g, const Node& n, std::size_t input) const {
  return computes_bf16(g, n) && (input == 0 || (input == 3 && g.value(n.outputs[0]).type == DType::bf16));
}

bool Convolve::leave_bf16(const Graph& g, const Node& n) {
  if (!computes_bf16(g, n)) return false;
  dnn::ConvSpec spec = bare_convolution(g, n, *this);
  spec.from = DType::bf16;
  f32_only = !dnn::PreparedConv::make(spec);
  return f32_only;
}

Id Convolve::in_place_input(const Node& n) const { return n.inputs[3]; }

bool Convolve::can_run_in_place(const Graph& g, const Node& n) const {
  if (std::count(n.inputs.begin(), n.inputs.end(), n.inputs[3]) != 1) return false;
  return algorithm != Algorithm::direct || dnn::PreparedConv::make(fused_convolution(g, n, *this, true)) != nullptr;
}

std::size_t Convolve::workspace_bytes(const Graph& g, const Node& n, bool in_place) const {
  const auto bytes = [](std::int64_t elements) { return static_cast<std::size_t>(elements) * sizeof(float); };
  switch (algorithm) {
    case Algorithm::direct: return direct(g, n, *this, in_place).conv->scratchpad_bytes();
    case Algorithm::single_output: return bytes(single_output_conv(g, n, *this).workspace());
    case Algorithm::gemv: return 0;
    default: return bytes(winograd(g, n, *this).workspace(threads()));
  }
}

std::unique_ptr<Step> Convolve::emit(const Node& n, Emitter& e) const {
  const Graph& g = e.graph();
  ConvolutionBuffers b{e.at(n.inputs[0]), {}, e.operand(n.inputs[2]), e.at(n.inputs[3]), e.at(n.outputs[0]), e.workspace()};
  if (algorithm == Algorithm::single_output) {
    const SingleOutputConv problem = single_output_conv(g, n, *this);
    const auto weight = [problem](const Tensor& w) { return problem.weight(w); };
    b.weight = e.constant(n.inputs[1], weight, problem.transposed ? "single-output transposed" : "single-output");
    return single_output_conv_step(problem, after, std::move(b));
  }
  if (algorithm == Algorithm::gemv) {
    b.weight = e.constant(n.inputs[1], row_major_weight, "row-major");
    return gemv_step(*gemv_of(g, n, *this), after, std::move(b));
  }
  if (algorithm != Algorithm::direct) {
    const Winograd problem = winograd(g, n, *this);
    const auto weight = [problem](const Tensor& w) { return problem.transform(row_major_weight(w)); };
    b.weight = e.constant(n.inputs[1], weight, fmt::format("winograd{}x{}", problem.side().rows, problem.side().columns));
    return winograd_step(problem, after, std::move(b));
  }
  const auto [conv, fused] = direct(g, n, *this, e.in_place(n));
  const auto weight = [conv = conv](const Tensor& w) { return conv->reorder(row_major_weight(w)); };
  b.weight = e.constant(n.inputs[1], weight, conv->weight_layout());
  return direct_step(conv, e.add_call(conv), fused ? ElementwiseKernel() : unfused(g, n, *this), std::move(b));
}

}  // namespace fovea::plan
