// MATLAB's imresize, bicubic (Keys 1981, a = -0.5): the kernel widens when shrinking (antialiasing), positions
// outside the image are taken from inside.
// Super-resolution's low-resolution images and its bicubic baseline are defined by it; OpenCV's cubic (a = -0.75) is another.
#pragma once

#include <opencv2/core.hpp>

namespace fovea {

// What lies outside: the image mirrored (MATLAB since R2017), or its edge pixels repeated (before; public x2, x3, x4 sets of
// Set5, Set14, BSDS are bit-equal to this one). They differ only within two low-resolution pixels of the border.
enum class Edge { mirror, repeat };

// CV_8U, CV_16U, CV_32F or CV_64F, any number of channels; computed in double. Integers are rounded
// (halves up) and saturated, between the passes over rows and columns too, as MATLAB does. By scale: the size is ceil(size * scale), and the scale is used as given. By size: each axis has its own scale.
cv::Mat imresize(const cv::Mat& image, double scale, Edge edge = Edge::mirror);
cv::Mat imresize(const cv::Mat& image, cv::Size size, Edge edge = Edge::mirror);

}  // namespace fovea
