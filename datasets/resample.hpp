// Resampling with a filter that widens where it shrinks: what Pillow and torchvision (antialias) do, in f32 and without rounding between
// the passes. For the pictures a network sees; super-resolution's exact MATLAB twin is resize.hpp.
#pragma once

#include <opencv2/core.hpp>

#include "modules/preprocess.hpp"

namespace fovea {

// The pixels `window` of the image resized to `size`, so that a crop costs no more than what it shows. Half-pixel centres, edges repeated by
// leaving out what lies outside. u8, u16 or f32 with any channels in; f32 out, in units of the input.
cv::Mat resample(const cv::Mat& image, cv::Size size, const cv::Rect& window, Preprocess::Interpolation interpolation);

}  // namespace fovea
