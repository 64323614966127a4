// What a photograph shows, and where the network looked: names the classes and writes the attention as a picture.
// usage: classify_with_map PHOTO OUTPUT.png
#include <cstdio>

#include "pipeline/picture_model.hpp"
#include "pipeline/sinks/heatmap.hpp"

int main(int argc, char** argv) try {
  using namespace fovea;
  check(argc == 3, "usage: classify_with_map PHOTO OUTPUT.png");
  const PictureModel model(Model::load("photo-cbam"), {.keep = "backbone.features.13.**.spatial"});
  const Image photo = read_image(argv[1]);
  const PictureModel::Answer answer = model.run({photo.pixels}).front();  // any number of pictures, of any sizes
  for (const Prediction& p : answer.top) std::printf("%5.1f %%  %s\n", 100 * p.probability, p.name.c_str());
  const auto png = encode_image(heat_overlay(photo, answer.maps.front().heat, {.legend = true}), "png");
  write_file_atomically(argv[2], png.data(), png.size());
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());  // where, what was expected, and what came
  return 1;
}
