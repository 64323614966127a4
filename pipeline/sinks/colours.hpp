// Colours of classes, the same wherever a class is drawn.
#pragma once

#include <cstddef>
#include <opencv2/core.hpp>

namespace fovea {

// The colour of a class, BGR, 8 bits: bright hues that lie far from each other whatever their number.
cv::Scalar label_colour(std::size_t index);

// Black or white, whichever is easier to read on it.
cv::Scalar text_colour_on(const cv::Scalar& bgr);

}  // namespace fovea
