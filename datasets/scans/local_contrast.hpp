// Values against their surroundings, so that a structure in a dark corner is seen as one in the light is.
#pragma once

#include <opencv2/core.hpp>

namespace fovea {

// values: f32 in 0..1, any number of channels. Of each channel, with Gaussian weights of `sigma` pixels over what is not background:
//   0.5 + (value - mean) / (6 (spread + 0.005)), within 0..1
// so that three times the spread around a pixel reaches the ends; the constant, about one step of 8 bits, keeps noise in flat places small. Pixels that are not above `background` in any channel give 0.
cv::Mat local_contrast(const cv::Mat& values, double sigma, double background);

}  // namespace fovea
