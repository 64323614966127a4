// Brightness, contrast, saturation, hue: all are affine in the colour, so one 3 x 4 matrix and one rounding do them together.
#pragma once

#include "datasets/augment.hpp"

namespace fovea {

using ColourMatrix = cv::Matx<double, 3, 4>;  // of BGR, 0..255; the last column is added

ColourMatrix brightness_matrix(double factor);
ColourMatrix contrast_matrix(double factor, double mean_grey);  // away from the picture's mean grey
ColourMatrix saturation_matrix(double factor);                  // away from each pixel's own grey
ColourMatrix hue_matrix(double turn);                           // around the grey axis (in YIQ), 1 is the whole circle
ColourMatrix after(const ColourMatrix& second, const ColourMatrix& first);

double mean_grey(const cv::Mat& bgr);
void transform_colours(cv::Mat& bgr, const ColourMatrix& matrix);

// What `a` says, in random order as torchvision does it.
void jitter_colours(cv::Mat& bgr, const Augment& a, Random& random);

}  // namespace fovea
