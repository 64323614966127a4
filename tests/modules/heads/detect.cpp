// The detection head in all its forms: outputs as announced, compiled as eager, and HAR-Net's own part inside.
#include "modules/heads/detect.hpp"

#include "modules/autograd/apply.hpp"
#include "modules/model.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/tensors.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

std::string recipe(const std::string& neck, const std::string& head) {
  return "fovea: 1\nmodel:\n"
         "  backbone: {type: resnet, layers: [1, 1, 1], widths: [8, 12, 16], stem: cifar, features: [layer1, layer2, layer3]}\n"
         "  neck: {" +
         neck + "}\n  head: {type: detect, classes: [cat, dog], " + head + "}\npreprocess: {size: 24}\n";
}

const BoxCoding& coding_of(const Model& model) { return dynamic_cast<const DetectHead&>(model.head()).coding(); }

}  // namespace

TEST_CASE("detect head: outputs have the announced shapes, eagerly and compiled, at odd sizes") {
  const std::string necks[] = {"type: fpn, channels: 16", "type: pan, channels: 16"};
  const std::string heads[] = {"attention: none", "attention: channel, bins: 8", "attention: spatial, width: 12",
                               "attention: hybrid, convs: 1, kernel: 3",
                               "attention: hybrid, subnets: har, anchors: 4, octaves: 2, ratios: [0.5, 2]"};
  const Tensor x = random_tensor({2, 3, 23, 26}, 5).to(DType::f32).contiguous(Layout::channels_last);
  for (const std::string& neck : necks)
    for (const std::string& head : heads) {
      CAPTURE(neck, head);
      const Model model = Model::from_recipe(recipe(neck, head), 3);
      CHECK(coding_of(model).strides == std::vector<int>{1, 2, 4});
      const Model::Result planned = model.run(x, {});
      REQUIRE(planned.outputs.size() == 6);
      NoGrad no_grad;
      const NamedVars eager = model.outputs(Var(x));
      for (const OutputInfo& o : model.info().outputs) {
        CHECK(planned.outputs.at(o.name).shape() == o.shape(x.shape()));
        CHECK(max_difference(planned.outputs.at(o.name), eager.at(o.name).value()) < 1e-4);
      }
    }
}

TEST_CASE("detect head: what stands where") {
  const Model model =
      Model::from_recipe(recipe("type: fpn, channels: 16, extra: 2", "anchors: 4, octaves: 2, ratios: [1, 4]"), 3);
  CHECK(coding_of(model).strides == std::vector<int>{1, 2, 4, 8, 16});
  CHECK(model.params()->find("neck.extra_blocks.p7.weight") != nullptr);
  const auto& anchors = coding_of(model).anchors;
  REQUIRE(anchors.size() == 4);
  CHECK(anchors[0][0] == Approx(4));
  CHECK(anchors[1][1] == Approx(8));  // four times as high as wide, the same area
  CHECK(anchors[1][0] == Approx(2));
  CHECK(anchors[2][0] == Approx(4 * std::sqrt(2.0)));
  CHECK(model.info().outputs[0].name == "class.1");
  CHECK(model.info().outputs[5].name == "box.1");
  // Attention has maps to look at.
  const Tensor x = random_tensor({1, 3, 24, 24}, 5).to(DType::f32).contiguous(Layout::channels_last);
  const Model::Result r = model.run(x, {.keep = "head.mask.**"});
  REQUIRE(r.taps.size() == 5);
  CHECK(r.taps[0].value.shape() == Shape{1, 1, 24, 24});
}

TEST_CASE("detect head: starts with nothing found") {
  const Model model = Model::from_recipe(recipe("type: pan, channels: 16", "prior: 0.02"), 3);
  const Tensor x = random_tensor({1, 3, 24, 24}, 5).to(DType::f32).contiguous(Layout::channels_last);
  for (const double z : model.run(x, {}).outputs.at("class.2").values())
    CHECK(1 / (1 + std::exp(-z)) == Approx(0.02).margin(0.02));
}

TEST_CASE("detect head: wrong options are refused where they stand") {
  const auto refuses = [](const std::string& neck, const std::string& head, const std::string& message) {
    return fails_with([&] { Model::from_recipe(recipe(neck, head)); }, message);
  };
  CHECK(refuses("type: fpn", "attention: all", "expected none, channel, spatial or hybrid, got 'all'"));
  CHECK(refuses("type: fpn", "subnets: shared", "expected decoupled or har"));
  CHECK(refuses("type: fpn", "bins: 1", "bins: expected 0, or at least 2"));
  CHECK(refuses("type: fpn", "bins: 8, anchors: 4", "bins are for distances"));
  CHECK(refuses("type: fpn", "ratios: [0]", "ratios: expected numbers above 0"));
  CHECK(refuses("type: fpn", "kernel: 2", "kernel: expected an odd side"));
  CHECK(refuses("type: fpn", "width: 20, subnets: har", "width: har has the features' 256 channels"));
  CHECK(fails_with(
      [] {
        Model::from_recipe(
            "fovea: 1\nmodel:\n  backbone: {type: resnet18, features: [layer3, layer4]}\n  head: {type: detect, classes: 2}\n");
      },
      "expected levels of one width"));
}
