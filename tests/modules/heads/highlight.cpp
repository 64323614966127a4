// The head for regions and the decoder that brings any backbone's features up to the picture's size.
#include "modules/heads/highlight.hpp"

#include "modules/io/accepts.hpp"
#include "modules/io/codes.hpp"
#include "modules/model.hpp"
#include "modules/nn/training.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/tensors.hpp"

using namespace fovea;
using test::fails_with;

namespace {

Model model_of(const std::string& head,
               const std::string& more = "backbone: {type: attention_unet, widths: [4, 8, 16], features: [Up_conv3, Up_conv2]}") {
  return Model::from_recipe("fovea: 1\nmodel:\n  " + more + "\n  head: {type: highlight, classes: [a, b]" + head +
                            "}\npreprocess: {channels: 1, resize: none, mean: 0, std: 1}\n");
}

Tensor picture(std::int64_t rows = 16, std::int64_t columns = 24) {
  return test::random_tensor({2, 1, rows, columns}, 3).to(DType::f32);
}

const HighlightHead& head_of(const Model& m) { return dynamic_cast<const HighlightHead&>(m.head()); }

}  // namespace

TEST_CASE("highlight head: outputs in use and in training") {
  const Model m = model_of(", objects: true, deep_supervision: losses");
  const Model::Result r = m.run(picture(), {});
  REQUIRE(r.outputs.size() == 2);
  CHECK(r.outputs.at("logits").shape() == Shape{2, 2, 16, 24});
  CHECK(r.outputs.at("distance").shape() == Shape{2, 2, 16, 24});
  Random random(1);
  const Training training(random);
  const NamedVars seen = m.outputs(Var(picture()));
  CHECK(seen.size() == 3);
  CHECK(seen.at("logits.Up_conv3").value().shape() == Shape{2, 2, 8, 12});
  {
    const NotTraining looking;
    CHECK(m.outputs(Var(picture())).size() == 2);
  }
}

TEST_CASE("highlight head: fused deep supervision reads every feature") {
  const Model m = model_of(", deep_supervision: fused");
  CHECK(m.params()->find("head.final.weight") != nullptr);
  CHECK(m.params()->find("head.dsv.0.weight") != nullptr);
  const std::vector<double> before = m.run(picture()).values();
  m.params()->load({{"head.dsv.0.bias", Tensor::full({2}, 3)}}, false);
  CHECK(m.run(picture()).values() != before);
}

TEST_CASE("highlight head: what its user shows") {
  const RegionRules rules = head_of(model_of(", threshold: [0.4, 0.6], least_area: 9, middle: 0.3")).rules();
  CHECK(rules.thresholds == std::vector<double>{0.4, 0.6});
  CHECK(rules.least_area == std::vector<double>{9, 9});
  CHECK(rules.middle == 0.3);
  CHECK_FALSE(rules.objects);
  CHECK(fails_with([] { model_of(", threshold: [0.4, 0.6, 0.7]"); },
                   "expected one number, or one for each of the 2 classes, got 3"));
  CHECK(fails_with([] { model_of(", threshold: 2"); }, "threshold: expected 0 to 1, got 2"));
  CHECK(fails_with([] { model_of(", deep_supervision: some"); }, "expected none, losses or fused, got 'some'"));
  CHECK(fails_with([] { model_of(", deep_supervision: losses", "backbone: {type: unet, widths: [4, 8]}"); },
                   "the head gets one feature"));
}

TEST_CASE("unet_decoder: any backbone up to the picture's size, gated or not") {
  const std::string backbone =
      "backbone: {type: resnet18, widths: [8, 8, 16, 16], stem_width: 8, features: [layer1, layer2, layer3]}";
  for (const char* gate : {"none", "attention_gate", "grid_attention_gate"}) {
    INFO(gate);
    const Model m = model_of(", deep_supervision: losses", backbone + "\n  neck: {type: unet_decoder, gate: " + gate + "}");
    CHECK(m.run(picture(32, 64)).shape() == Shape{2, 2, 32, 64});
    CHECK((m.params()->find("neck.Att3.psi.0.weight") != nullptr || m.params()->find("neck.Att3.psi.weight") != nullptr) ==
          (gate != std::string("none")));
    // layer1 has stride 4: two joints with a feature, two levels without one.
    CHECK(m.params()->find("neck.Up_conv1.conv.0.weight") != nullptr);
    CHECK(m.params()->find("neck.Up4.up.1.weight") != nullptr);
    CHECK(m.params()->find("neck.Up5.up.1.weight") == nullptr);
  }
  const Model coarse = model_of("", backbone + "\n  neck: {type: unet_decoder, full: false}");
  CHECK(coarse.run(picture(32, 64)).shape() == Shape{2, 2, 8, 16});
  CHECK(
      fails_with([&] { model_of("", "backbone: {type: unet, widths: [4, 8], features: [Conv1]}\n  neck: {type: unet_decoder}"); },
                 "at least two features"));
}

TEST_CASE("recipes: what a model accepts, and the codes of its classes") {
  const auto recipe = [](const std::string& text) { return Yaml::parse(text, "r.yaml"); };
  const Accepts a = read_accepts(recipe("accepts: {modality: [DX, CR], spacing: [0.1, 0.6], pictures: false}"));
  CHECK(a.modality == std::vector<std::string>{"DX", "CR"});
  CHECK((*a.spacing)[1] == 0.6);
  CHECK_FALSE(a.pictures);
  CHECK(read_accepts(recipe("fovea: 1")).pictures);
  CHECK(fails_with([&] { read_accepts(recipe("accepts: {modality: [DX], organ: x}")); }, "organ"));
  CHECK(fails_with([&] { read_accepts(recipe("accepts: {spacing: [1]}")); }, "spacing: expected [smallest, largest]"));
  CHECK(fails_with(
      [&] {
        model_of("", "backbone: {type: unet, widths: [4, 8]}"),
            Model::from_recipe("fovea: 1\naccepts: {x: 1}\nmodel: {head: {type: highlight, classes: [a]}}\n");
      },
      "x"));

  const auto codes = read_codes(
      recipe("codes: {vessel: {category: [123037004, SCT, Anatomical Structure], type: [59820001, SCT, Blood vessel]}}"),
      {"vessel", "ground glass"});
  CHECK(codes[0].type == Code{"59820001", "SCT", "Blood vessel"});
  CHECK(codes[1].type == Code{"GROUND_GLASS", "99FOVEA", "ground glass"});
  CHECK(fails_with([&] { read_codes(recipe("codes: {x: {}}"), {"vessel"}); }, "x"));
  CHECK(fails_with([&] { read_codes(recipe("codes: {vessel: {category: [1, SCT], type: [1, SCT, b]}}"), {"vessel"}); },
                   "expected a code as [value, scheme, meaning], got 2"));
  CHECK(fails_with(
      [&] { read_codes(recipe("codes: {vessel: {category: [12345678901234567, SCT, a], type: [1, SCT, b]}}"), {"vessel"}); },
      "1 to 16 characters"));
}
