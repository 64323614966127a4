// What was found, over the picture, for people.
#pragma once

#include "pipeline/tasks/highlight/answer.hpp"

namespace fovea {

struct HighlightDrawing {
  double opacity = 0.35;  // of the classes' colours
  double sure = 0.7;      // regions of a lower mean probability are hatched
};

// 8-bit BGR: the picture at its own size (small ones enlarged by a whole number), each region filled and outlined in its class's colour, the outline
// with a rim of black or white that it is seen against on any ground, hatched where the model is not sure; letters of the patient's sides where the place is
// known, a scale bar where the spacing is; below it a legend, and what the picture is for.
cv::Mat highlight_overlay(const FoundPicture& found, const Slice& slice, const std::vector<std::string>& classes,
                          const HighlightDrawing& drawing, bool forced);
// The regions alone, at the picture's own size, with the line about its use at its lower edge: for videos.
cv::Mat region_drawing(const FoundPicture& found, const HighlightDrawing& drawing);
// One map over the picture, likewise with its scale and the same line below.
cv::Mat map_overlay(const FoundPicture& found, const HighlightMap& map, double opacity);

}  // namespace fovea
