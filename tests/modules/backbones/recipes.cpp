// The recipes of well-known networks build, with as many parameters as their papers and PyTorch have; odd picture sizes run.
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "modules/io/yaml.hpp"
#include "modules/model.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;
using fovea::test::fails_with;

namespace {

std::string text_of(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

std::string recipe(const std::string& backbone, const std::string& head) {
  return "fovea: 1\nmodel:\n  backbone: " + backbone + "\n  head: " + head + "\n";
}

}  // namespace

TEST_CASE("recipes: every file builds and runs through its shapes") {
  // torchvision's and timm's counts; absent where no public implementation has the very same layers.
  const std::map<std::string, std::int64_t> counts{{"resnet50d", 25576264},         {"vgg16_bn", 138365992},
                                                   {"mobilenet_v3_large", 5483032}, {"swin_tiny", 28288354},
                                                   {"vit_tiny", 5717416},           {"attention_unet", 34878573}};
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::source_folder() / "apps" / "recipes")) {
    if (entry.path().extension() != ".yaml") continue;
    const std::string name = entry.path().stem().string();
    INFO(name);
    Yaml y = Yaml::parse(text_of(entry.path()), name);
    const Yaml head = y.at("model").at("head");
    const bool labels = head.at("type").scalar() == "classify" || head.at("type").scalar() == "segment";
    if (labels && !head.has("classes")) y.set("model.head.classes", "3");  // training takes them from its data
    const Model model = Model::from_recipe(y.str());
    CHECK(model.multiply_adds({1, model.channels(), 224, 224}) > 10000000);
    if (counts.count(name)) CHECK(model.params()->count() == counts.at(name));
    ++seen;
  }
  CHECK(seen >= 10);
}

TEST_CASE("recipes: pictures of odd sizes run, and logits keep the picture's size") {
  const auto shape_of = [](const std::string& yaml, std::int64_t h, std::int64_t w) {
    return Model::from_recipe(yaml).run(Tensor::full({1, 3, h, w}, 0.3, DType::f32, Layout::channels_last)).shape();
  };
  const std::string segment = "{type: segment, classes: [a, b]}";
  CHECK(shape_of(recipe("{type: attention_unet, widths: [4, 8, 8]}", segment), 19, 21) == Shape{1, 2, 19, 21});
  CHECK(shape_of(recipe("{type: maresunet, layers: [1, 1, 1, 1], widths: [8, 8, 8, 8], final_width: 4}", segment), 51, 37) ==
        Shape{1, 2, 51, 37});
  const std::string classify = "{type: classify, classes: 3}";
  CHECK(shape_of(recipe("{type: swin_tiny, size: 0, width: 12, depths: [2, 1], heads: [3, 3], window: 3}", classify), 37, 50) ==
        Shape{1, 3});
  CHECK(shape_of(recipe("{type: vit_tiny, size: 32, width: 12, depth: 1}", classify), 48, 16) == Shape{1, 3});
  CHECK(shape_of(recipe("{type: vgg11, layers: [4, M, 8]}", "{type: classify, classes: 3, grid: 2, hidden: [5]}"), 9, 11) ==
        Shape{1, 3});
}

TEST_CASE("recipes: options that make no sense are refused with their name") {
  const auto refused = [](const std::string& backbone, const std::string& message) {
    INFO(backbone);
    return fails_with([&] { Model::from_recipe(recipe(backbone, "{type: classify, classes: 3}")); }, message);
  };
  CHECK(refused("{type: vgg11, layers: [M, 8]}", "M must follow a convolution"));
  CHECK(refused("{type: vgg11, layers: [8, x]}", "got 'x'"));
  CHECK(refused("{type: mobilenet_v3_large, width: 0}", "width: expected a factor above 0"));
  CHECK(refused("{type: mobilenet_v3_large, padding: valid}", "symmetric or same, got 'valid'"));
  CHECK(refused("{type: vit_tiny, heads: 5}", "the heads dividing the width"));
  CHECK(refused("{type: vit_tiny, size: 30}", "a multiple of the patch"));
  CHECK(refused("{type: vit_tiny, class_token: false, pool: token}", "pool: expected mean"));
  CHECK(refused("{type: vit_tiny, attention: se}", "expected a block of tokens"));
  CHECK(refused("{type: swin_tiny, depths: [2, 2]}", "one number a stage"));
  CHECK(refused("{type: swin_tiny, window: 0}", "window"));
  CHECK(refused("{type: unet, widths: [8]}", "2 to 8 positive numbers"));
  CHECK(refused("{type: unet, widths: [8, 8], gate: attention_gat}", "did you mean 'attention_gate'?"));
  CHECK(refused("{type: unet, widths: [8, 8], drop_block: 1}", "drop_block"));
  CHECK(refused("{type: maresunet, layers: [1, 1]}", "four numbers"));
}
