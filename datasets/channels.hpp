// Numbers of channels: what files have, and what networks take.
#pragma once

#include "datasets/image.hpp"

namespace fovea {

// Grey becomes three equal channels, colour becomes grey by its luminance, alpha is left out; any other number must be the picture's own. Error.
cv::Mat with_channels(const cv::Mat& image, int channels);

// What the file shows, without its alpha: one channel where the picture is grey, else BGR. Of its own depth.
cv::Mat without_alpha(const Image& image);

}  // namespace fovea
