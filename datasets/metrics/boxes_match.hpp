// Which detections of one class on one image find which of its objects, as COCOeval.evaluateImg decides.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "datasets/boxes/box.hpp"

namespace fovea {

inline constexpr std::size_t kBoxAreas = 4;  // all, small, medium, large
inline constexpr std::size_t kMostDetections = 100;
inline constexpr std::size_t kMostThresholds = 32;

// In the masks a bit stands for a threshold.
struct BoxMatch {
  double score = 0;
  std::array<std::uint32_t, kBoxAreas> found = {};    // an object
  std::array<std::uint32_t, kBoxAreas> ignored = {};  // neither right nor wrong
};

struct BoxMatches {
  std::array<std::int64_t, kBoxAreas> objects = {};  // to be found
  std::vector<BoxMatch> detections;                  // the surest first, kMostDetections of them
};

BoxMatches match_boxes(const std::vector<const Annotation*>& truth, std::vector<const Detection*> detections,
                       const std::vector<double>& thresholds);

}  // namespace fovea
