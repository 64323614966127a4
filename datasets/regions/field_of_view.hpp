// What a round lens shows of a square picture: fundus cameras, endoscopes, microscopes.
#pragma once

#include <opencv2/core.hpp>

namespace fovea {

// u8, 255 inside: the largest bright part of the picture (f32, 0..1, 1 or 3 channels), with what it encloses. Everything where the picture has no dark rim.
cv::Mat field_of_view(const cv::Mat& values);

}  // namespace fovea
