// Writes a small upscaling model with random weights, for tests of the command that must not depend on shipped weights.
// usage: fovea_make_model FILE SCALE [WIDTH BLOCKS]
#include <iostream>
#include <string>

#include "modules/core/error.hpp"
#include "modules/model.hpp"

int main(int argc, char** argv) try {
  fovea::check(argc == 3 || argc == 5, "usage: fovea_make_model FILE SCALE [WIDTH BLOCKS]");
  const std::string scale = argv[2], width = argc == 5 ? argv[3] : "8", blocks = argc == 5 ? argv[4] : "1";
  const std::string recipe =
      "fovea: 1\nmodel:\n  head: {type: a2n_light, scale: " + scale + ", width: " + width + ", blocks: " + blocks + "}\n";
  fovea::Model::from_recipe(recipe, 7).save(argv[1]);
} catch (const std::exception& e) {
  std::cerr << "fovea_make_model: " << e.what() << "\n";
  return 1;
}
