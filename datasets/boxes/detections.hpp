// Detections as JSON, with the names of their classes, and as OpenCV's rectangles.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "datasets/boxes/box.hpp"
#include "modules/core/json.hpp"

namespace fovea {

// [{"class": "dog", "index": 1, "score": 0.93, "box": [x1, y1, x2, y2]}, ...]; numbers are read again as they were. Error for a label without a
// class and for numbers that are not finite.
nlohmann::ordered_json to_json(const Detections& detections, const std::vector<std::string>& classes);
// Labels count `classes`: by name, whatever the index says. Error that names file and key.
Detections detections_from(const JsonValue& json, const std::vector<std::string>& classes);

// The whole pixels that each box touches, in their order; and back, all of one class and score.
std::vector<cv::Rect> to_rects(const Detections& detections);
Detections from_rects(const std::vector<cv::Rect>& rects, std::int64_t label = 0, double score = 1);

}  // namespace fovea
