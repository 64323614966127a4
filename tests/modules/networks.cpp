// Networks of any number of features, outputs and channels: necks, heads with several outputs, stems for grey pictures.
#include "modules/network.hpp"

#include "modules/autograd/apply.hpp"
#include "modules/io/name_map.hpp"
#include "modules/model.hpp"
#include "modules/nn/losses.hpp"
#include "modules/nn/optim.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/skip_init.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/reshape.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"

namespace fovea {
namespace {

using test::fails_with;
using test::random_tensor;

// One output a feature: its mean over the positions, through a layer of its own.
class LevelMeans final : public Head {
 public:
  LevelMeans(const Scope& s, Features features) : Head(s, info_of(features)) {
    for (std::size_t i = 0; i < features.size(); ++i)
      layers_.emplace_back(s / static_cast<std::int64_t>(i), Linear::Options{.in = features[i].channels, .out = 2});
  }

 protected:
  Vars forward(const Vars& features) const override {
    Vars out;
    for (std::size_t i = 0; i < features.size(); ++i)
      out.push_back(layers_[i](reshape(global_avg_pool(features[i]), {features[i].dim(0), features[i].dim(1)})));
    return out;
  }

 private:
  static HeadInfo info_of(Features features) {
    HeadInfo info{"none", {}, {}};
    for (const Feature& f : features) info.outputs.push_back({f.name, "numbers", {OutputAxis::batch(), OutputAxis::constant(2)}});
    return info;
  }
  std::vector<Linear> layers_;
};

FOVEA_HEAD(level_means, "a mean a level", "a test") { return std::make_unique<LevelMeans>(scope, features); }

void extend_once() {
  static const bool done = (Registry::extend(register_level_means), true);
  CHECK(done);
}

constexpr const char* kPyramid =
    "fovea: 1\nmodel:\n"
    "  backbone: {type: resnet, layers: [1, 1, 1], widths: [8, 12, 16], stem: cifar, features: [layer1, layer2, layer3]}\n"
    "  neck: {type: fpn, channels: 10}\n"
    "  attention: [{at: 'neck.output{0,2}', type: se}]\n"
    "  head: {type: level_means}\npreprocess: {size: 20}\n";

}  // namespace

TEST_CASE("network: a pyramid between backbone and head gives named outputs, eagerly and compiled, and takes blocks") {
  extend_once();
  const Model model = Model::from_recipe(kPyramid, 3);
  CHECK(model.params()->find("neck.inner_blocks.1.0.weight") != nullptr);
  CHECK(model.params()->find("neck.output2.se.fc1.weight") != nullptr);
  const Tensor x = random_tensor({2, 3, 20, 20}, 5).to(DType::f32).contiguous(Layout::channels_last);
  const Model::Result planned = model.run(x, {.keep = "neck.*"});
  REQUIRE(planned.outputs.size() == 3);
  NoGrad no_grad;
  const NamedVars eager = model.outputs(Var(x));
  for (const auto& [name, value] : planned.outputs) {
    CHECK(value.shape() == Shape{2, 2});
    CHECK(test::max_difference(value, eager.at(name).value()) < 1e-5);
  }
  CHECK(planned.output.values() == planned.outputs.at("layer1").values());
  const auto p1 =
      std::find_if(planned.taps.begin(), planned.taps.end(), [](const Model::Tap& t) { return t.name == "neck.layer1"; });
  REQUIRE(p1 != planned.taps.end());
  CHECK(p1->value.shape() == Shape{2, 10, 20, 20});
}

TEST_CASE("network: a pyramid trains: gradients reach every level, and the loss falls") {
  extend_once();
  const Model model = Model::from_recipe(kPyramid, 3);
  const Tensor x = random_tensor({4, 3, 20, 20}, 5).to(DType::f32).contiguous(Layout::channels_last);
  const Tensor target = random_tensor({4, 2}, 6).to(DType::f32);
  Optimizer optimizer(model.params(), {.type = "adam", .lr = 0.01});
  Random random(1);
  const auto step = [&] {
    const Training training(random);
    model.params()->zero_grad();
    Var loss;
    for (const auto& [name, y] : model.outputs(Var(x))) {
      const Var term = mse_loss(y, Var(target));
      loss = loss.defined() ? loss + term : term;
    }
    loss.backward();
    return loss.value().item();
  };
  const double first = step();
  for (int level = 0; level < 3; ++level) {
    const auto* e = model.params()->find("neck.layer_blocks." + std::to_string(level) + ".0.weight");
    REQUIRE(e != nullptr);
    double sum = 0;
    for (const double g : e->value.grad().values()) sum += std::abs(g);
    CHECK(sum > 0);
  }
  double last = first;
  for (int i = 0; i < 30; ++i) optimizer.step(0.01), last = step();
  CHECK(last < 0.5 * first);
}

TEST_CASE("network: necks need a backbone; a head that is a whole network takes none") {
  CHECK(fails_with([] { Model::from_recipe("fovea: 1\nmodel:\n  neck: {type: fpn}\n  head: {type: classify, classes: 2}\n"); },
                   "a neck stands behind a backbone"));
  CHECK(fails_with(
      [] {
        Model::from_recipe(
            "fovea: 1\nmodel:\n  backbone: {type: resnet18}\n  neck: {type: se}\n  head: {type: classify, classes: 2}\n");
      },
      "'se' is a map; expected a neck"));
  CHECK(fails_with(
      [] { Model::from_recipe("fovea: 1\nmodel:\n  backbone: {type: resnet18}\n  head: {type: a2n_light, scale: 2}\n"); },
      "'a2n_light' is a network; expected a head"));
}

TEST_CASE("network: what an output's shape is said to be is what comes out, at every size") {
  for (const std::string& text :
       {std::string("{type: unet, widths: [4, 8, 8]}"), std::string("{type: resnet, layers: [1, 1], widths: [4, 8]}")}) {
    const Model model =
        Model::from_recipe("fovea: 1\nmodel:\n  backbone: " + text + "\n  head: {type: segment, classes: [a, b], scale: 2}\n");
    for (const Shape& input : {Shape{1, 3, 32, 32}, Shape{2, 3, 37, 45}}) {
      const auto graph = trace({input}, [&](const Vars& in) { return Vars{model.forward(in[0])}; });
      CHECK(graph.values[static_cast<std::size_t>(graph.outputs[0])].shape == model.info().outputs[0].shape(input));
    }
  }
}

TEST_CASE("network: every backbone takes grey, colour and more channels") {
  for (const std::string& name : Registry::global().names(Kind::backbone))
    for (const int channels : {1, 3, 5}) {
      INFO(name << " on " << channels << " channels");
      auto store = std::make_shared<ParamStore>();
      const SkipInit shapes_alone;
      const auto backbone = Registry::global().at(name).make(
          Scope(store) / "b", Features(std::vector<Feature>{{"image", channels, 1}}), *std::make_unique<Args>());
      const auto graph = trace({{1, channels, 224, 224}}, [&](const Vars& in) { return (*backbone)(in); });
      CHECK(!graph.outputs.empty());
    }
}

TEST_CASE("network: the recipe says the channels, in preprocess or in the backbone; what contradicts is refused") {
  const auto recipe = [](const std::string& in, const std::string& preprocess) {
    return "fovea: 1\nmodel:\n  backbone: {type: resnet, layers: [1], widths: [4]" + in +
           "}\n  head: {type: classify, classes: 2}\n" + preprocess;
  };
  CHECK(Model::from_recipe(recipe("", "preprocess: {channels: 1, size: 16}\n")).channels() == 1);
  const Model grey = Model::from_recipe(recipe(", in: 1", "preprocess: {size: 16}\n"));
  CHECK(grey.channels() == 1);
  CHECK(grey.preprocess().channels == 1);
  CHECK(grey.preprocess().mean == std::vector<double>{0.449});
  CHECK(Model::from_recipe(recipe(", in: 4", "")).preprocess().mean.size() == 4);
  CHECK(fails_with([&] { Model::from_recipe(recipe(", in: 4", "preprocess: {channels: 1}\n")); }, "preprocess gives 1 channels"));
  CHECK(fails_with([&] { grey.run(Tensor::zeros({1, 3, 16, 16})); }, "expected images N x 1 x H x W"));
  CHECK(fails_with([&] { Model::from_recipe(recipe("", "preprocess: {channels: 0}\n")); }, "channels: expected 1 to"));
}

TEST_CASE("import: the stem of three colours becomes one of other channels on request, and never silently") {
  const auto recipe = [](int channels) {
    return "fovea: 1\nmodel:\n  backbone: {type: resnet, layers: [1], widths: [4], in: " + std::to_string(channels) +
           "}\n  head: {type: classify, classes: 2}\n";
  };
  const Model colour = Model::from_recipe(recipe(3), 1);
  const auto import_into = [&](const Model& m, StemChannels stem) {
    ImportOptions options;
    options.stem = stem;
    return import_weights(*m.params(), m.slots(), "resnet", colour.params()->values(), options);
  };
  const Model grey = Model::from_recipe(recipe(1), 2), five = Model::from_recipe(recipe(5), 2);
  CHECK(fails_with([&] { import_into(grey, StemChannels::refuse); }, "--stem sum or repeat"));
  CHECK(fails_with([&] { import_into(five, StemChannels::sum); }, "--stem repeat makes any number"));
  CHECK(import_into(grey, StemChannels::sum).stem == "backbone.conv1.weight: 3 channels summed into 1");
  // Grey pictures are three equal colours: both networks say the same about them.
  const Tensor x = random_tensor({1, 1, 32, 32}, 9).to(DType::f32);
  Tensor rgb = Tensor::empty({1, 3, 32, 32});
  for (int c = 0; c < 3; ++c) rgb.slice(1, c, c + 1).copy_from(x);
  CHECK(test::max_difference(grey.run(x), colour.run(rgb)) < 1e-5);
  import_into(five, StemChannels::repeat);
  const auto *w5 = five.params()->find("backbone.conv1.weight"), *w3 = colour.params()->find("backbone.conv1.weight");
  const double got = w5->value.value().slice(0, 0, 1).slice(1, 4, 5).values()[0],
               from = w3->value.value().slice(0, 0, 1).slice(1, 1, 2).values()[0];
  CHECK(got == Approx(0.6 * from).epsilon(1e-6));
}

}  // namespace fovea
