// Between an image's integers and what a network takes and gives: RGB floats, 0..1, colour premultiplied by alpha.
#pragma once

#include <opencv2/core.hpp>

#include "datasets/image.hpp"

namespace fovea {

bool has_alpha(const Image& image);

// Smallest and largest alpha over `area` and kAlphaReach pixels around it: as far as an edge of transparency can show in what a
// network makes of the colour beside it.
constexpr int kAlphaReach = 8;
struct AlphaRange {
  float least = 1, most = 1;
  bool opaque() const { return least == 1; }
  bool mixed() const { return least < 1 && most > 0; }
};
AlphaRange alpha_range(const Image& image, cv::Rect area);

cv::Mat colour_window(const Image& image, cv::Rect window);  // CV_32FC3, RGB; premultiplied where there is alpha
cv::Mat alpha_window(const Image& image, cv::Rect window);   // CV_32FC3, three equal channels

// The image that tiles are stored in: `scale` times the size, same depth, channels, greyness and profile.
Image enlarged_like(const Image& image, int scale);

// Stores a core (input pixels) into `output`: un-premultiplied, clamped, rounded to nearest.
// `colour` is CV_32FC3 and scale x the core's size; so is `alpha`, where alpha_range(core).mixed(), else it is empty.
// Farther than kAlphaReach from any transparency the colour is the network's as it is. An output pixel whose 3x3 input
// neighbours are all opaque (all clear) is exactly opaque (clear); between them colours stay within those of the visible
// neighbours, because a quotient of two small numbers is where halos come from.
// Error: values that are not finite.
void store_core(Image& output, const Image& input, cv::Rect core, int scale, const cv::Mat& colour, const cv::Mat& alpha);

}  // namespace fovea
