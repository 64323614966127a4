// What is done to a picture before a network sees it: the recipe's `preprocess:`. It travels with the weights, so that who runs a model
// needs to know nothing of how it was trained. datasets/preprocess.hpp does what is described here.
#pragma once

#include <vector>

#include "modules/io/yaml.hpp"

namespace fovea {

struct Preprocess {
  // crop: enlarged or shrunk until it just covers size / crop_fraction, then the middle of it; what sticks out is not seen.
  // letterbox: fitted inside, the rest padded. stretch: both sides to the size, whatever becomes of the proportions. none: the picture's
  // own size.
  enum class Resize : std::uint8_t { crop, letterbox, stretch, none };
  // All widen with the factor when they shrink, as Pillow's and torchvision's antialiased ones do; area takes the mean of the pixels covered.
  enum class Interpolation : std::uint8_t { bilinear, area, bicubic };
  enum class Colour : std::uint8_t { rgb, bgr };  // of three channels
  // What becomes 0..1. depth: all that 8 or 16 bits hold (scans have no such range: percentiles). percentiles: from the 1st to the 99th of each
  // picture's values, for modalities without a unit of their own. window: of scans, a fixed part of the modality's units.
  enum class Range : std::uint8_t { depth, percentiles, window };

  int channels = 3;         // of the network's input: 1 takes grey, 3 colour, others pictures of so many channels
  bool neighbours = false;  // of scans: the channels are slices that follow each other, the one that is asked about in the middle
  int height = 224, width = 224;
  Resize resize = Resize::crop;
  double crop_fraction = 0.875;  // 224 of 256
  Interpolation interpolation = Interpolation::bilinear;
  Colour colour = Colour::rgb;
  Range range = Range::depth;
  double window_width = 1, window_level = 0.5;  // level - width / 2 becomes 0, level + width / 2 becomes 1
  // Of scans and pictures that are highlighted, after the range: each value against the mean and the spread around it, by a Gaussian of so
  // many pixels (0: not done); what is not above `background` in any channel counts for nothing and becomes 0.
  double local_contrast = 0, background = 0;
  // Of each channel, in the order `colour`, values 0..1; ImageNet's unless the recipe says otherwise (of grey, and of other numbers of
  // channels, their means).
  std::vector<double> mean{0.485, 0.456, 0.406}, stddev{0.229, 0.224, 0.225};
  std::vector<double> pad = mean;  // letterbox's border, before it is normalised; the mean where the recipe says nothing

  // Pictures as they are: of any size, 0..1.
  static Preprocess none(int channels);
};

// Keys: channels, neighbours, size (a number, or [height, width]), resize, crop_fraction, interpolation, colour, range, window ([width, level]), local_contrast,
// background, mean, std, pad (one number, or one a channel). `channels` is the number where the recipe says none. Error for others and for values that make no sense.
Preprocess read_preprocess(const Yaml& y, int channels = 3);

// Its key `channels` alone, which the network is built by.
int read_channels(Args& preprocess, int channels);

}  // namespace fovea
