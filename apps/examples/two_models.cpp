// Two models at once, each in a thread with a processor of its own: one names what is on a photograph, the other makes it larger.
// usage: two_models PHOTO OUTPUT.png
#include <cstdio>
#include <future>

#include "modules/core/threads.hpp"
#include "pipeline/picture_model.hpp"
#include "pipeline/tasks/upscale/upscale_image.hpp"

int main(int argc, char** argv) try {
  using namespace fovea;
  check(argc == 3, "usage: two_models PHOTO OUTPUT.png");
  const Image photo = read_image(argv[1]);
  const PictureModel classifier(Model::load("photo-cbam"));
  const Model enlarger = Model::load("upscale-x2");

  // The width belongs to the thread: what it calls uses that many processors.
  auto named = std::async(std::launch::async, [&] {
    set_threads(1);
    return classifier.run({photo.pixels}).front().top.front();
  });
  auto enlarged = std::async(std::launch::async, [&] {
    set_threads(1);
    return upscale_image(enlarger, photo, {}).image;
  });

  const Prediction what = named.get();  // an Error of the other thread arrives here
  const Image larger = enlarged.get();
  std::printf("%s, %.1f %%, now %d x %d\n", what.name.c_str(), 100 * what.probability, larger.pixels.cols, larger.pixels.rows);
  const auto png = encode_image(larger, "png");
  write_file_atomically(argv[2], png.data(), png.size());
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
