// MATLAB's imresize, bicubic (Keys 1981, a = -0.5), whose kernel widens when shrinking (antialiasing).
// Super-resolution's low-resolution images and its bicubic baseline are defined by it; OpenCV's cubic (a = -0.75) is another.
#pragma once

#include <opencv2/core.hpp>

namespace fovea {

// What lies outside: the image mirrored, as MATLAB does today, or its edge pixels repeated, as older releases did: the public
// low-resolution files of Set5 and Set14 equal this one bit for bit. The two differ close to the border only.
enum class Edge { mirror, repeat };

// CV_8U, CV_16U, CV_32F or CV_64F, any number of channels; computed in double. Integers are rounded (halves up) and saturated,
// between the passes over rows and columns too, as MATLAB does. By scale: the size is ceil(size * scale), and the scale is used
// as given. By size: each axis has its own scale.
cv::Mat imresize(const cv::Mat& image, double scale, Edge edge = Edge::mirror);
cv::Mat imresize(const cv::Mat& image, cv::Size size, Edge edge = Edge::mirror);

}  // namespace fovea
