// One training step of A2N x2 (width 32, 8 blocks, 16 patches of 48 x 48, L1, Adam) against its own convolutions, forward and
// backward, bare in oneDNN, and against PyTorch where that is installed.
#include <fmt/core.h>

#include <cstdlib>
#include <filesystem>

#include "modules/autograd/apply.hpp"
#include "modules/core/dnnl.hpp"
#include "modules/core/threads.hpp"
#include "modules/model.hpp"
#include "modules/nn/losses.hpp"
#include "modules/nn/optim.hpp"
#include "tests/bench/bench.hpp"

namespace fovea::bench {
namespace {

constexpr const char* kRecipe = "fovea: 1\nmodel: {head: {type: a2n, scale: 2, width: 32, tail_width: 24, blocks: 8}}\n";

Tensor random_map(const Shape& shape, DType dtype) {
  Tensor t = Tensor::empty(shape);
  Random random(7);
  random.fill_uniform(t, 0, 1);
  return t.contiguous(Layout::channels_last).to(dtype);
}

class Step {
 public:
  explicit Step(DType precision)
      : precision_(precision),
        model_(Model::from_recipe(kRecipe)),
        adam_(model_.params(), {.lr = 1e-4}),
        x_(random_map({16, 3, 48, 48}, DType::f32)),
        y_(random_map({16, 3, 96, 96}, DType::f32)) {}
  void operator()() {
    Precision scope(precision_);
    model_.params()->zero_grad();
    l1_loss(model_.forward(Var(x_)), Var(y_)).backward();
    adam_.step(1e-4);
  }

 private:
  DType precision_;
  Model model_;
  Optimizer adam_;
  Tensor x_, y_;
};

// Every convolution of the network as three calls of oneDNN on memory that is there already.
class BareConvolutions {
 public:
  explicit BareConvolutions(DType precision) {
    const Model model = Model::from_recipe(kRecipe);
    const Graph graph = trace({{16, 3, 48, 48}}, [&](const Vars& in) { return Vars{model.forward(in[0])}; });
    for (const GraphNode& node : graph.nodes) {
      if (node.op->name() != "conv2d") continue;
      const Shape &x = shape(graph, node.inputs[0]), &w = shape(graph, node.inputs[1]), &y = shape(graph, node.outputs[0]);
      const std::int64_t pad = w[2] / 2;  // all of A2N's have stride 1 and keep the size
      layers_.push_back({{.pad_begin = {pad, pad}, .pad_end = {pad, pad}},
                         random_map(x, precision),
                         Tensor::full(w, 0.01),
                         random_map(y, precision),
                         Tensor::empty(x, precision, Layout::channels_last),
                         Tensor::empty(w),
                         node.inputs[0] != graph.inputs[0]});
    }
  }
  void operator()() {
    Tensor none;
    for (Layer& l : layers_) {
      check(dnn::conv_forward(l.conv, l.x, l.w, {}, {}, l.y), "bench: oneDNN refuses a convolution");
      if (l.wants_data) dnn::conv_backward_data(l.conv, l.y, l.w, l.gx);
      dnn::conv_backward_weights(l.conv, l.x, l.y, l.gw, none);
    }
  }

 private:
  struct Layer {
    dnn::Conv conv;
    Tensor x, w, y, gx, gw;
    bool wants_data;
  };
  static const Shape& shape(const Graph& g, int value) { return g.values[static_cast<std::size_t>(value)].shape; }
  std::vector<Layer> layers_;
};

// Milliseconds of PyTorch's step, or 0 with the reason noted. The script prints "a2n 16 48 THREADS ms".
double pytorch_ms(int threads, std::string& reason) {
  const char* given = std::getenv("FOVEA_TORCH_BENCH");
  const std::filesystem::path script = given ? given : FOVEA_SOURCE_DIR "/../shared/bench/torch_train_bench.py";
  if (!std::filesystem::exists(script)) return reason = "no torch_train_bench.py (FOVEA_TORCH_BENCH names it)", 0;
  try {
    const std::string text =
        output_of({"/usr/bin/env", "-u", "OMP_WAIT_POLICY", "/usr/bin/python3", script.string(), std::to_string(threads), "a2n"});
    return std::atof(text.substr(text.rfind(' ') + 1).c_str());
  } catch (const std::exception&) { return reason = "Debian's python3-torch and python3-torchvision are not installed", 0; }
}

void measure(Report& report, DType precision, int threads, double torch_limit, bool floor) {
  Lane lane(threads);
  const std::string name = fmt::format("train_step.a2n.{}.{}t", name_of(precision), threads);
  Step step(precision);
  BareConvolutions bare(precision);
  std::vector<double> ours, torch;
  std::string reason;
  for (int round = 0; round < 2; ++round) {  // in turn with PyTorch, which is a process of its own
    const auto [mine, convolutions] = interleaved<2>(5, std::array<Task, 2>{[&] { step(); }, [&] { bare(); }});
    ours.push_back(mine);
    if (round == 0) {
      report.note(name + ".ms", mine * 1e3);
      if (floor) report.at_most(name + "/convolutions", mine / convolutions, 1.20);
      else report.note(name + "/convolutions", mine / convolutions);
    }
    if (reason.empty()) torch.push_back(pytorch_ms(threads, reason) / 1e3);
  }
  if (!reason.empty()) return report.skip(name + "/pytorch_f32", reason);
  report.at_most(name + "/pytorch_f32", median(ours) / median(torch), torch_limit);
}

}  // namespace

void train_step(Report& report) {
  measure(report, DType::f32, 1, 0.95, true);
  if (cpu_budget() >= 2) measure(report, DType::f32, 2, 0.75, true);
  else report.skip("train_step.a2n.f32.2t", "one processor");
  try {
    parse_precision("bf16");
  } catch (const Error& e) { return report.skip("train_step.a2n.bf16", e.what()); }
  // The limits are for processors with AMX, where `auto` takes bf16; elsewhere the figure is printed without one.
  if (parse_precision("auto") != DType::bf16) {
    Lane lane(1);
    Step f32(DType::f32), bf16(DType::bf16);
    const auto [slow, fast] = interleaved<2>(5, std::array<Task, 2>{[&] { f32(); }, [&] { bf16(); }});
    report.note("train_step.a2n.bf16/f32.1t", fast / slow);
    return report.skip("train_step.a2n.bf16/pytorch_f32", "this processor has no AMX");
  }
  measure(report, DType::bf16, 1, 0.50, false);
  if (cpu_budget() >= 2) measure(report, DType::bf16, 2, 0.40, false);
}

}  // namespace fovea::bench
