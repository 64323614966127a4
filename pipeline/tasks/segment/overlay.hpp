// Labels in colours over the picture.
#pragma once

#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "datasets/image.hpp"

namespace fovea {

// 8-bit BGR of the image's size: the image under the classes' colours, each region with an outline. Of several classes the first is taken for
// what lies behind the others and stays uncoloured.
cv::Mat label_overlay(const Image& image, const cv::Mat& labels, const std::vector<std::string>& classes, double opacity);

}  // namespace fovea
