// One decoded image in, one upscaled image out, with a super-resolution network, in bounded memory for any image size.
//
// Depth (8 or 16 bit), greyness, alpha and the ICC profile stay as they are:
// - grey runs as three equal channels; the result is the mean of the three outputs.
// - alpha: colour is premultiplied, and alpha takes the same way through the network as the colour, with the same global
//   statistics: a white shape gives equal planes, so its edge has no fringe, where an interpolated (softer) alpha under a
//   sharpened colour would leave one. Only images that are transparent somewhere pay for it; opaque ones give the very
//   pixels of the image without alpha.
// - tiles overlap by the network's radius, so a tile's kept part is what the whole image would give. Statistics of the whole
//   image (branch weights of attention blocks) are measured once on windows spread over it and shared by all tiles.
#pragma once

#include <cstddef>
#include <functional>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "datasets/image.hpp"
#include "modules/heads/upscale.hpp"
#include "modules/model.hpp"

namespace fovea {

struct UpscaleOptions {
  int tile = -1;  // -1: whole image where it fits the memory budget, else tiles; 0: whole image; else side in input pixels
  bool self_ensemble = false;  // mean over the 8 flips and rotations: better and 8 times slower
  DType precision = DType::f32;
  bool maps = false;
};

// A gate of the network over the picture. It is computed at k times the input's size (1 <= k <= scale); every value is
// repeated over exactly the output pixels that it belongs to, so no value appears that the network did not compute.
struct AttentionMap {
  std::string name;
  cv::Mat heat;  // CV_32F, the size of the output image, raw values, mean over channels
};

struct Upscaled {
  Image image;
  std::vector<AttentionMap> maps;
};

// What the model's head says of tiles. Error where it does not upscale.
const UpscaleFacts& upscale_facts(const Model& model);
// What its recipe says of the range and order of its colours: `mean`, `std` and `colour`, of input and output alike. Error where it asks for
// another size or number of channels: an upscaler takes pictures as they are.
const Preprocess& upscale_preprocess(const Model& model);

// What upscaling needs of a network; tests put a function with known answers here.
struct UpscaleBackend {
  UpscaleFacts facts;
  std::size_t bytes_per_pixel = 1;      // working memory of a run for one input pixel
  std::size_t map_bytes_per_pixel = 0;  // more of it when maps are asked for
  std::function<Model::Result(const Tensor&, const Model::RunOptions&)> run;
  Preprocess preprocess = Preprocess::none(3);  // its range and order of colours, of input and output alike
};
UpscaleBackend upscale_backend(const Model& model);

// Error: not 8 or 16 bit, an empty image, a network that does not upscale or gives numbers that are not finite. Several threads may
// enlarge images with one model at a time, each on threads() processors.
Upscaled upscale_image(const UpscaleBackend& backend, const Image& input, const UpscaleOptions& options);
Upscaled upscale_image(const Model& model, const Image& input, const UpscaleOptions& options);

}  // namespace fovea
