// Learning rates and decay of parts of a network.
#include "modules/nn/optim.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using fovea::test::fails_with;

namespace {

std::shared_ptr<ParamStore> store_of(const std::vector<std::pair<std::string, Shape>>& parameters) {
  auto store = std::make_shared<ParamStore>();
  for (const auto& [name, shape] : parameters) store->declare(name, shape, init::constant(1), false);
  return store;
}

std::shared_ptr<ParamStore> small_network() {
  return store_of({{"backbone.conv1.weight", {4, 3, 3, 3}},
                   {"backbone.bn1.weight", {4}},
                   {"backbone.layer1.0.conv1.weight", {4, 4, 3, 3}},
                   {"backbone.layer1.0.downsample.0.weight", {4, 4, 1, 1}},
                   {"backbone.layer1.1.conv1.weight", {4, 4, 3, 3}},
                   {"backbone.layer2.0.conv1.weight", {4, 4, 3, 3}},
                   {"backbone.norm.weight", {4}},
                   {"head.fc.weight", {2, 4}},
                   {"head.fc.bias", {2}}});
}

}  // namespace

TEST_CASE("layers are counted from the input; stem first, head last") {
  CHECK(layers_of(*small_network()) == std::vector<int>{0, 0, 1, 1, 2, 3, 3, 4, 4});
  CHECK(layers_of(*store_of({{"backbone.cls_token", {1}},
                             {"backbone.blocks.0.attn.qkv.weight", {1}},
                             {"backbone.blocks.0.mlp.0.weight", {1}},
                             {"backbone.blocks.1.norm1.weight", {1}},
                             {"head.hidden.0.weight", {1}},
                             {"distill.0.weight", {1}}})) == std::vector<int>{0, 1, 1, 2, 3, 3});
  CHECK(layers_of(*store_of({{"backbone.stages.0.blocks.0.conv.weight", {1}},
                             {"backbone.stages.0.blocks.1.conv.weight", {1}},
                             {"backbone.blocks.1.0.conv.weight", {1}},
                             {"backbone.blocks.1.1.conv.1.weight", {1}},
                             {"backbone.features.3.conv.0.weight", {1}},
                             {"backbone.features.3.conv.1.weight", {1}}})) == std::vector<int>{1, 2, 3, 4, 5, 5});
  CHECK(layers_of(ParamStore()).empty());
}

TEST_CASE("optimizer: rates by glob, the last one counts, and by depth; decay of matrices alone") {
  OptimizerOptions o;
  o.decay_vectors = false;
  o.no_decay = {"**.layer2.**"};
  o.lr_scale = {{"backbone.**", 0.1}, {"backbone.layer1.*.conv1.weight", 0.5}};
  o.layer_decay = 0.5;
  const Optimizer optimizer(small_network(), o);
  CHECK(optimizer.lr_factor("head.fc.weight") == 1);
  CHECK(optimizer.lr_factor("backbone.conv1.weight") == Approx(0.1 / 16));
  CHECK(optimizer.lr_factor("backbone.layer1.1.conv1.weight") == Approx(0.5 / 4));
  CHECK(optimizer.lr_factor("backbone.layer1.0.downsample.0.weight") == Approx(0.1 / 8));
  CHECK((optimizer.decays("head.fc.weight") && optimizer.decays("backbone.conv1.weight")));
  for (const char* name : {"head.fc.bias", "backbone.bn1.weight", "backbone.layer2.0.conv1.weight"})
    CHECK(!optimizer.decays(name));
  CHECK(Optimizer(small_network(), {}).decays("head.fc.bias"));

  CHECK(fails_with([] { Optimizer(small_network(), {.no_decay = {"bakcbone.**"}}); }, "'bakcbone.**' matches no parameter"));
  CHECK(fails_with([] { Optimizer(small_network(), {.lr_scale = {{"neck.**", 1}}}); }, "'neck.**' matches no parameter"));
  CHECK(fails_with([] { Optimizer(small_network(), {.lr_scale = {{"head.**", -1}}}); }, "factors from 0"));
  CHECK(fails_with([] { Optimizer(small_network(), {.layer_decay = 0}); }, "layer_decay in (0, 1]"));
}

TEST_CASE("optimizer: a step moves each parameter by its own rate, and decays what decays") {
  for (const char* type : {"sgd", "adamw"}) {
    auto store = store_of({{"a.weight", {1, 1}}, {"b.weight", {1, 1}}, {"c.bias", {1}}});
    Optimizer optimizer(store,
                        {.type = type, .weight_decay = 0.5, .decay_vectors = false, .lr_scale = {{"b.*", 0.25}, {"c.*", 0}}});
    for (const auto& e : store->entries()) e.value.state()->grad = Tensor::zeros(e.value.shape());
    optimizer.step(0.1);  // nothing but decay: 1 - 0.1 * 0.5
    CHECK(store->find("a.weight")->value.value().item() == Approx(0.95));
    CHECK(store->find("b.weight")->value.value().item() == Approx(0.9875));
    CHECK(store->find("c.bias")->value.value().item() == 1);
  }
  auto late = store_of({{"a.weight", {1, 1}}});
  Optimizer optimizer(late, {.type = "sgd"});
  late->declare("b.weight", {1}, init::ones(), false).state()->grad = Tensor::zeros({1});
  CHECK(fails_with([&] { optimizer.step(0.1); }, "b.weight was not there"));
}
