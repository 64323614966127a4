#include "tests/bench/bare_forward.hpp"

#include "modules/autograd/apply.hpp"
#include "tests/bench/training.hpp"

namespace fovea::bench {

BareForward::BareForward(const Model& model, const Shape& input, DType precision) {
  const Trace graph = trace({input}, [&](const Vars& in) { return Vars{model.forward(in[0])}; });
  const auto shape = [&](int value) -> const Shape& { return graph.values[static_cast<std::size_t>(value)].shape; };
  for (const TraceNode& node : graph.nodes) {
    const Lowering role = node.op->lower();
    const auto* conv = std::get_if<role::Convolution>(&role);
    if (!conv) continue;
    const Shape &x = shape(node.inputs[0]), &w = shape(node.inputs[1]), &y = shape(node.outputs[0]);
    const auto made = dnn::PreparedConv::make(
        {.conv = conv->options, .x = x, .w = w, .y = y, .bias = true, .from = precision, .to = precision});
    check(made != nullptr, "bench: oneDNN refuses a convolution");
    layers_.push_back({made->call(), random_map(x, precision), made->reorder(Tensor::full(w, 0.01)), Tensor::full({w[0]}, 0.1),
                       random_map(y, precision),
                       Tensor::empty({static_cast<std::int64_t>(made->scratchpad_bytes())}, DType::u8)});
  }
}

void BareForward::operator()() {
  for (Layer& l : layers_)
    l.call->run({.x = l.x.raw(), .w = l.w.raw(), .bias = l.bias.raw(), .y = l.y.raw(), .scratchpad = l.scratchpad.raw()});
}

}  // namespace fovea::bench
