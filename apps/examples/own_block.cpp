// An attention block that the library does not know: defined here, put into a ResNet by a recipe, trained, compiled, its map asked for.
// usage: own_block
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "modules/core/random.hpp"
#include "modules/model.hpp"
#include "modules/nn/losses.hpp"
#include "modules/nn/optim.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/unary.hpp"

using namespace fovea;

// y = x * sigmoid(fc(mean over the positions of x)). Parameters fc.weight, fc.bias; tap "channel": N x C x 1 x 1.
class MeanGate final : public MapBlock {
 public:
  MeanGate(const Scope& s, std::int64_t channels) : MapBlock(s), fc_(s / "fc", {.in = channels, .out = channels}) {}

 protected:
  Var forward(const Var& x) const override { return x * tap("channel", sigmoid(fc_(global_avg_pool(x)))); }

 private:
  Conv2d fc_;
};

FOVEA_BLOCK(mean_gate, "a gate for every channel from its mean", "this file") {
  return std::make_unique<MeanGate>(scope, channels);
}

constexpr const char* kRecipe = R"(
fovea: 1
model:
  backbone: {type: resnet, layers: [1, 1], widths: [16, 32], stem: cifar}
  attention:
    - {at: "backbone.layer2.*.pre_add", type: mean_gate, start: identity}
  head: {type: classify, classes: [dark, bright]}
)";

// Four pictures of noise, two of each class.
Tensor pictures() {
  Tensor x = Tensor::empty({4, 3, 32, 32});
  Random(1).fill_uniform(x, 0, 1);
  for (std::int64_t i = 0; i < x.size() / 2; ++i) x.data<float>()[i] *= 0.2F;
  return x.contiguous(Layout::channels_last);
}

int main() try {
  Registry::extend(register_mean_gate);
  const Model model = Model::from_recipe(kRecipe);
  const Tensor x = pictures(), labels = Tensor::from(std::vector<std::int64_t>{0, 0, 1, 1}, {4});

  Optimizer sgd(model.params(), {.type = "sgd", .momentum = 0.9});
  Random random(2);  // what dropout would draw from
  for (int step = 0; step < 40; ++step) {
    const Training training(random);
    model.params()->zero_grad();
    const Var loss = cross_entropy(model.forward(Var(x)), Var(labels));
    loss.backward();
    sgd.step(0.01);
    if (step % 10 == 0) std::printf("step %d: loss %.4f\n", step, loss.value().values().front());
  }

  const plan::Plan plan = model.compile(x.shape(), {.keep = "**.mean_gate.channel"});
  const plan::Plan::Result result = plan.run({x});
  for (const auto& gate : result.taps) std::printf("%s: %s\n", gate.name.c_str(), gate.value.shape().str().c_str());
  for (std::int64_t i = 0; i < 4; ++i) {
    const auto logits = result.outputs[0].slice(0, i, i + 1).values();
    std::printf("picture %d: %s\n", static_cast<int>(i), model.classes()[logits[1] > logits[0]].c_str());
  }
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
