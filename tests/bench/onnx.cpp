// Compiled plans against ONNX Runtime on the same networks, batch 1: run by run in turn, both on the same processors, as many as threads,
// and with denormals as zero.
#include <fmt/core.h>

#include <chrono>
#include <optional>
#include <thread>

#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/model.hpp"
#include "tests/bench/bench.hpp"
#include "tests/bench/onnx_runtime.hpp"
#include "tests/bench/processors.hpp"
#include "tests/bench/training.hpp"

namespace fovea::bench {
namespace {

struct Peer {
  std::string name;                              // export_models.py's
  std::string model;                             // of the recipe
  std::int64_t side, parameters, multiply_adds;  // the last two as PyTorch counts them: that both run the same network
  double limit;                                  // on the ratio of the times
  double bf16 = 0;  // the same for a plan in bf16 on processors with AMX, against ONNX Runtime's f32; 0: not measured
};

std::string resnet(int depth, const std::string& block) {
  const std::string plug = block.empty() ? "" : fmt::format(", attention: [{{at: 'backbone.layer*.*.pre_add', {}}}]", block);
  return fmt::format("backbone: {{type: resnet{}}}{}, head: {{type: classify, classes: 1000}}", depth, plug);
}

std::vector<Peer> peers() {
  return {
      {"resnet18", resnet(18, ""), 224, 11689512, 1814073344, 1.00},
      {"resnet50", resnet(50, ""), 224, 25557032, 4089184256, 1.00, 0.32},
      {"resnet50_se", resnet(50, "type: se, reduction: 16"), 224, 28088024, 4091699200, 0.90},
      {"resnet50_cbam", resnet(50, "type: cbam, reduction: 16, mlp_bias: false, bn: false"), 224, 28073544, 4095573110, 0.70,
       0.35},
      {"mobilenet_v2", "backbone: {type: mobilenet_v2}, head: {type: classify, classes: 1000}", 224, 3504872, 300774272, 1.00},
      {"a2n_512", "head: {type: a2n, scale: 2, width: 24, blocks: 6}", 512, 153411, 49016734632, 0.80},
      {"attention_unet_960",
       "backbone: {type: attention_unet, widths: [32, 64, 128, 256, 512]}, head: {type: segment, classes: [a]}", 960, 8726077,
       233951846400, 0.50},
  };
}

Model network(const Peer& peer) {
  const Model model = Model::from_recipe("fovea: 1\nmodel: {" + peer.model + "}\n");
  const std::int64_t parameters = model.params()->count(), work = model.multiply_adds({1, 3, peer.side, peer.side});
  check(parameters == peer.parameters && work == peer.multiply_adds, "bench: ", peer.name, ": expected ", peer.parameters,
        " parameters and ", peer.multiply_adds, " multiply-adds, as PyTorch's has, got ", parameters, " and ", work);
  return model;
}

// Threads that wait actively for the next run, as OpenMP's do for a moment, are asleep again before the other side's turn.
Run rested(Run run) {
  return [run = std::move(run)] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return run();
  };
}

void measure(Report& report, const OnnxRuntime& runtime, const Peer& peer, int threads) {
  const Processors processors(threads);
  const ThreadScope thread_scope(threads);
  const Tensor x = random_map({1, 3, peer.side, peer.side}, DType::f32);
  const Model model = network(peer);
  const bool amx = parse_precision("auto") == DType::bf16;
  std::vector<plan::Plan> plans{model.compile(x.shape())};
  if (peer.bf16 > 0 && amx) plans.push_back(model.compile(x.shape(), {.precision = DType::bf16}));
  OnnxRuntime::Session theirs = runtime.session(peer.name, threads);
  std::vector<Run> runs{rested([&] { return theirs.run(); })};
  for (const plan::Plan& p : plans) runs.push_back(rested(timed([&] { p.run({x}); })));
  interleaved(3, runs);  // ONNX Runtime's first runs are slower
  const Times t = interleaved(x.dim(2) > 224 ? 11 : 41, runs);
  const std::string name = fmt::format("onnx.{}.{}t", peer.name, threads), bf16 = name + ".bf16/onnx_runtime_f32";
  report.note(name + ".ms", t.median(1) * 1e3);
  report.note(name + ".onnx_runtime_ms", t.median(0) * 1e3);
  report.at_most(name + "/onnx_runtime", t.over(1, 0), peer.limit);
  if (plans.size() > 1) report.at_most(bf16, t.over(2, 0), peer.bf16);
  else if (peer.bf16 > 0) report.skip(bf16, "no AMX");
}

}  // namespace

void onnx(Report& report) {
  std::optional<OnnxRuntime> runtime;
  try {
    runtime.emplace();
  } catch (const Error& e) { return report.skip("onnx", e.what()); }
  report.state("onnx.version", "ONNX Runtime " + runtime->version());
  for (const Peer& peer : peers())
    for (const int threads : {1, 2}) {
      if (threads > cpu_budget()) report.skip(fmt::format("onnx.{}.{}t", peer.name, threads), "one processor");
      else measure(report, *runtime, peer, threads);
    }
}

}  // namespace fovea::bench
