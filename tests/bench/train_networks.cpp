// One training step of classifying networks (8 images of 128 x 128, cross-entropy, SGD with momentum) against their own
// convolutions, forward and backward, direct and bare in oneDNN, and against PyTorch where that is installed, on the same processors.
#include <fmt/core.h>

#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/nn/losses.hpp"
#include "modules/nn/optim.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/training.hpp"
#include "tests/bench/bench.hpp"
#include "tests/bench/processors.hpp"
#include "tests/bench/training.hpp"

namespace fovea::bench {
namespace {

struct Net {
  std::string name, backbone, block;  // name: PyTorch's script's
  double over_convolutions;           // limit on the ratio to the bare convolutions; 0: none
  double over_pytorch[2];             // limits with one and with two threads
};

std::string recipe(const Net& net) {
  const std::string plug = net.block.empty() ? "" : ", attention: [{at: \"backbone.layer*.*.pre_add\", type: " + net.block + "}]";
  return "fovea: 1\nmodel: {backbone: {type: " + net.backbone + "}" + plug +
         ", head: {type: classify, classes: [a, b, c, d, e, f, g, h, i, j]}}\n";
}

class TrainStep {
 public:
  explicit TrainStep(const Net& net)
      : model_(Model::from_recipe(recipe(net))),
        sgd_(model_.params(), {.type = "sgd", .lr = 0.01, .momentum = 0.9}),
        x_(random_map({8, 3, 128, 128}, DType::f32)),
        y_(Tensor::from(std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7}, {8})) {}
  void operator()() {
    Training training(random_);
    model_.params()->zero_grad();
    cross_entropy(model_.forward(Var(x_)), Var(y_)).backward();
    sgd_.step(1e-3);
  }
  const Model& model() const { return model_; }

 private:
  Model model_;
  Optimizer sgd_;
  Tensor x_, y_;
  Random random_{3};
};

void measure(Report& report, const Net& net, int threads) {
  const Processors processors(threads);
  const ThreadScope thread_scope(threads);
  const std::string name = fmt::format("train_networks.{}.{}t", net.name, threads);
  TrainStep step(net);
  BareConvolutions bare(step.model(), {8, 3, 128, 128}, DType::f32);
  const StepTimes t = step_times(
      net.name, threads, [&] { step(); }, [&] { bare(); });
  report.note(name + ".ms", t.all.median(0) * 1e3);
  if (net.over_convolutions > 0) report.at_most(name + "/direct_convolutions", t.all.over(0, 1), net.over_convolutions);
  else report.note(name + "/direct_convolutions", t.all.over(0, 1));
  if (!t.missing.empty()) return report.skip(name + "/pytorch_f32", t.missing);
  report.state(name + ".version", "PyTorch " + t.version);
  report.at_most(name + "/pytorch_f32", t.all.over(0, 2), net.over_pytorch[threads - 1]);
}

}  // namespace

void train_networks(Report& report) {
  const Net nets[] = {{"resnet18", "resnet18", "", 1.25, {0.95, 0.90}},
                      {"resnet18_se", "resnet18", "se", 0, {0.95, 0.90}},
                      {"resnet18_cbam", "resnet18", "cbam", 0, {0.95, 0.90}},
                      {"mobilenet_v2", "mobilenet_v2", "", 0, {0.90, 0.90}}};
  for (const Net& net : nets)
    for (const int threads : {1, 2}) {
      if (threads > cpu_budget()) report.skip(fmt::format("train_networks.{}.{}t", net.name, threads), "one processor");
      else measure(report, net, threads);
    }
}

}  // namespace fovea::bench
