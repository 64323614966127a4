// What a highlighting model makes of a picture with known regions.
#pragma once

#include "datasets/metrics/objects.hpp"
#include "datasets/metrics/regions.hpp"
#include "datasets/regions/picture.hpp"
#include "pipeline/tasks/highlight/highlighter.hpp"

namespace fovea {

struct HighlightMeasure {
  RegionMetrics regions;
  std::vector<ObjectMetrics> objects;  // one a class; empty where the model tells none apart

  HighlightMeasure(const Model& model, const std::vector<double>& thresholds, bool outlines = true);
  // `where`: u8, pixels that count; empty for all.
  void add(const Highlighter& highlighter, const RegionPicture& picture, const cv::Mat& where = {});

 private:
  RegionRules rules_;
};

// The numbered regions of one class, on the picture's own pixels. `shrink`: pixels of the picture a pixel of the network's input.
cv::Mat regions_of(const Highlights& answer, std::size_t c, const RegionRules& rules, double threshold, double shrink);

}  // namespace fovea
