// The transforms that RandAugment draws from. `strength` is 0 to 1; which way a transform goes (left, darker) is drawn. What moves out of the picture
// leaves mid-grey behind. Pictures are u8 BGR.
#pragma once

#include <string>
#include <vector>

#include "datasets/augment.hpp"

namespace fovea {

// identity, shear_x, shear_y, translate_x, translate_y, rotate, brightness, colour, contrast, sharpness, posterize, solarize, autocontrast,
// equalize: those of torchvision's RandAugment with its ranges.
const std::vector<std::string>& transforms();

// One of them, each as likely.
void apply_random_transform(cv::Mat& bgr, double strength, Random& random);

// One of them by name; `way` is 1 or -1. Error for a name that is not there.
void apply_transform(cv::Mat& bgr, const std::string& name, double strength, int way);

}  // namespace fovea
