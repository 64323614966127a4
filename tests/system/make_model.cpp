// Writes a small model with random weights, for tests of the command that must not depend on shipped weights: one that makes pictures larger,
// or a detector with an attention map.
// usage: fovea_make_model FILE SCALE [WIDTH BLOCKS] | FILE detect
#include <iostream>
#include <string>

#include "modules/core/error.hpp"
#include "modules/model.hpp"

namespace {

constexpr const char* kDetector = R"(fovea: 1
model:
  backbone: {type: resnet, layers: [1, 1, 1], widths: [8, 16, 16], stem: cifar, features: [layer2, layer3]}
  neck: {type: fpn, channels: 16}
  head: {type: detect, attention: hybrid, convs: 1, classes: [disc, square]}
preprocess: {size: 64, resize: letterbox, mean: 0.5, std: 0.25}
)";

}  // namespace

int main(int argc, char** argv) try {
  fovea::check(argc == 3 || argc == 5, "usage: fovea_make_model FILE SCALE [WIDTH BLOCKS] | FILE detect");
  if (argv[2] == std::string("detect")) return fovea::Model::from_recipe(kDetector, 7).save(argv[1]), 0;
  const std::string scale = argv[2], width = argc == 5 ? argv[3] : "8", blocks = argc == 5 ? argv[4] : "1";
  const std::string recipe =
      "fovea: 1\nmodel:\n  head: {type: a2n_light, scale: " + scale + ", width: " + width + ", blocks: " + blocks + "}\n";
  fovea::Model::from_recipe(recipe, 7).save(argv[1]);
} catch (const std::exception& e) {
  std::cerr << "fovea_make_model: " << e.what() << "\n";
  return 1;
}
