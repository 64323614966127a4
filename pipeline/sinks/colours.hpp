// Colours of classes, the same wherever a class is drawn.
#pragma once

#include <cstddef>
#include <opencv2/core.hpp>

namespace fovea {

// The colour of a class, BGR, 8 bits: bright hues that lie far from each other whatever their number.
cv::Scalar label_colour(std::size_t index);

// Black or white, whichever is easier to read on it.
cv::Scalar text_colour_on(const cv::Scalar& bgr);

// Relative luminance of an 8-bit colour, 0 to 1, and how far two colours are apart in it, 1 to 21: WCAG 2.2, which asks for 3 where a shape is to be seen.
double relative_luminance(const cv::Scalar& bgr);
double contrast(const cv::Scalar& a, const cv::Scalar& b);

}  // namespace fovea
