// Values of a picture or a scan as a network's recipe counts them: 0..1.
#pragma once

#include <opencv2/core.hpp>
#include <optional>

#include "modules/preprocess.hpp"

namespace fovea {

// u8 or u16 pixels of any number of channels, or f32 values in the units of a modality; `padding`: the value of pixels that hold nothing; `inverted`: they are
// stored with white as the lowest value. Gives
// f32 in 0..1, what lies outside of the range at its ends, what is not a number at 0.
cv::Mat unit_range(const cv::Mat& values, const Preprocess& p, std::optional<double> padding = {}, bool inverted = false);

}  // namespace fovea
