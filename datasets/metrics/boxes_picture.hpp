// Figures of boxes to look at.
#pragma once

#include <string>

#include "datasets/metrics/boxes.hpp"
#include "datasets/metrics/boxes_confusion.hpp"

namespace fovea {

// An SVG of precision against recall at IoU 0.5: a line for each class that has objects, with its AP50 in the legend.
std::string precision_recall_picture(const BoxScores& scores, const std::string& title);

// As datasets/metrics/confusion_picture.hpp draws it, with the background as its last row and column.
std::string confusion_picture(const BoxConfusion& confusion, const std::string& title);

}  // namespace fovea
