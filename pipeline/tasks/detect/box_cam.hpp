// Where the network looked for one box: Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) of the class logit that the box came from.
#pragma once

#include <span>

#include "datasets/boxes/box.hpp"
#include "pipeline/stages/explain.hpp"

namespace fovea {

// A map for each box, on the picture's pixels. Of the predictions of the box's class whose boxes overlap it by half, the surest one's logit is followed to the features of its level,
// behind the neck where there is one. Error where none does.
std::vector<PlacedMap> box_cams(const Model& model, const cv::Mat& picture, std::span<const Detection> detections);

}  // namespace fovea
