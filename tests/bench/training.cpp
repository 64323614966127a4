#include "tests/bench/training.hpp"

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "modules/autograd/apply.hpp"
#include "modules/nn/training.hpp"
#include "tests/bench/bench.hpp"

namespace fovea::bench {

Tensor random_map(const Shape& shape, DType dtype) {
  Tensor t = Tensor::empty(shape);
  Random random(7);
  random.fill_uniform(t, 0, 1);
  return (shape.rank() == 4 ? t.contiguous(Layout::channels_last) : t).to(dtype);
}

BareConvolutions::BareConvolutions(const Model& model, const Shape& input, DType precision) {
  const Trace graph = trace({input}, [&](const Vars& in) { return Vars{model.forward(in[0])}; });
  const auto shape = [&](int value) -> const Shape& { return graph.values[static_cast<std::size_t>(value)].shape; };
  for (const TraceNode& node : graph.nodes) {
    if (node.op->name() != "conv2d") continue;
    const Shape &x = shape(node.inputs[0]), &w = shape(node.inputs[1]), &y = shape(node.outputs[0]);
    const std::int64_t pad = w[2] / 2, stride = x[2] / y[2];
    layers_.push_back({{.stride = {stride, stride}, .pad_begin = {pad, pad}, .pad_end = {pad, pad}, .groups = x[1] / w[1]},
                       random_map(x, precision),
                       Tensor::full(w, 0.01),
                       random_map(y, precision),
                       Tensor::empty(x, precision, Layout::channels_last),
                       Tensor::empty(w),
                       node.inputs[0] != graph.inputs[0]});
  }
}

void BareConvolutions::operator()() {
  Tensor none;
  for (Layer& l : layers_) {
    check(dnn::conv_forward(l.conv, l.x, l.w, {}, {}, l.y), "bench: oneDNN refuses a convolution");
    if (l.wants_data) dnn::conv_backward_data(l.conv, l.y, l.w, l.gx);
    dnn::conv_backward_weights(l.conv, l.x, l.y, l.gw, none);
  }
}

namespace {

std::vector<std::string> pytorch_command(const std::string& name, int threads) {
  const char* given = std::getenv("FOVEA_TORCH_BENCH");
  const std::filesystem::path script = given ? given : FOVEA_SOURCE_DIR "/../shared/bench/torch_train_bench.py";
  check(std::filesystem::exists(script), "no torch_train_bench.py (FOVEA_TORCH_BENCH names it)");
  return {"/usr/bin/env",
          "-u",
          "OMP_WAIT_POLICY",
          "/usr/bin/python3",
          FOVEA_SOURCE_DIR "/tests/bench/pytorch_step.py",
          script.string(),
          std::to_string(threads),
          name};
}

}  // namespace

PyTorchStep::PyTorchStep(const std::string& name, int threads) try
    : process_(pytorch_command(name, threads)), version_(process_.read_line()) {
} catch (const Error& e) {
  fail("PyTorch's step failed (", e.what(), "): are Debian's python3-torch and python3-torchvision installed?");
}

double PyTorchStep::run() { return std::stod(process_.ask("step")) / 1e3; }

StepTimes step_times(const std::string& name, int threads, const std::function<void()>& ours, const std::function<void()>& bare) {
  std::vector<Run> runs{timed(ours), timed(bare)};
  std::optional<PyTorchStep> torch;
  std::string missing;
  try {
    torch.emplace(name, threads);
    runs.push_back([&] { return torch->run(); });
  } catch (const Error& e) { missing = e.what(); }
  return {interleaved(PyTorchStep::kSteps - 1, runs), torch ? torch->version() : "", missing};  // one round more warms up
}

}  // namespace fovea::bench
