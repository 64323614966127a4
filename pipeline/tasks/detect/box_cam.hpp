// Where the network looked for one box: Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) of the class logit that the box came from.
#pragma once

#include <span>

#include "datasets/boxes/box.hpp"
#include "pipeline/stages/explain.hpp"

namespace fovea {

class Detector;

// A map for each box that the detector found, on the picture's pixels: the logit that the box came from (box_origin.hpp) is followed to the
// features of its level, behind the neck where there is one, in the look at the picture that found it. NaN where that look saw nothing: a box
// of a window (DetectOptions::tile) has a map of that window.
std::vector<PlacedMap> box_cams(const Detector& detector, const cv::Mat& picture, std::span<const Detection> detections);

}  // namespace fovea
