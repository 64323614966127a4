// A decoded picture becomes what a network takes, and every position in it can be found again on the picture.
#pragma once

#include <opencv2/core.hpp>

#include "modules/core/tensor.hpp"
#include "modules/preprocess.hpp"

namespace fovea {

// Where the network's input lies on its source. Positions are in pixels with centres at whole numbers: the picture spans -0.5 to width - 0.5.
//   source = (network + 0.5 - shift) * scale - 0.5, for x and y apart, with the sizes that were really used after rounding.
struct Geometry {
  cv::Size source, network;
  double scale_x = 1, scale_y = 1;  // source pixels a network pixel
  int shift_x = 0, shift_y = 0;     // network pixel at which the source begins: above 0 padded, below 0 cropped
  cv::Rect content;                 // network pixels that show the source; the rest is padding

  cv::Size resized() const;  // of the whole source in network pixels: what is cropped from, or padded

  cv::Point2d to_source(cv::Point2d network_place) const;
  cv::Point2d to_network(cv::Point2d source_place) const;
  // Of areas, in the same units: a pixel's edges are half a pixel around its centre.
  cv::Rect2d to_source(const cv::Rect2d& network_area) const;
  cv::Rect2d to_network(const cv::Rect2d& source_area) const;
  cv::Rect2d seen() const { return to_source(cv::Rect2d(content.x - 0.5, content.y - 0.5, content.width, content.height)); }
};

// How a picture of this size will lie, without touching pixels.
Geometry geometry_of(cv::Size source, const Preprocess& p);

struct Preprocessed {
  Tensor tensor;  // 1 x channels x height x width, f32, channels-last, normalised
  Geometry geometry;
};

// image: grey, BGR or BGRA as read_image gives it, u8, u16, or f32 in 0..1 as unit_range gives it: `range` and `local_contrast` have had their effect on those. For a network of three channels grey becomes three equal ones, for
// one of one channel colour becomes its luminance; alpha is left out, as everyone who trained on RGB did. Error for other types, other
// numbers of channels, and empty images.
Preprocessed preprocess(const cv::Mat& image, const Preprocess& p);

// The same into sample `index` of an N x channels x height x width channels-last batch.
Geometry preprocess_into(Tensor& batch, std::int64_t index, const cv::Mat& image, const Preprocess& p);

// Normalises height x width pixels (u8, or f32 in 0..1; channels as for preprocess) that are cropped and resized already: what training does after its own random crop.
void normalise_into(Tensor& batch, std::int64_t index, const cv::Mat& pixels, const Preprocess& p);

}  // namespace fovea
