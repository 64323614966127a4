// Many boxes around one object become one.
#pragma once

#include <string>

#include "datasets/boxes/box.hpp"

namespace fovea {

struct Suppression {
  // hard: of boxes of one class that overlap by more than `iou` the most probable one stays.
  // soft_linear, soft_gaussian: overlapping ones lose score instead: times 1 - IoU where that is above `iou`, or times exp(-IoU^2 / sigma).
  // fusion: they become one, their mean weighted by score: what several runs of a network on one picture say (mirrored, tiles).
  enum class Kind : std::uint8_t { hard, soft_linear, soft_gaussian, fusion };
  Kind kind = Kind::hard;
  double iou = 0.6, sigma = 0.5;
  double least_score = 0.001;  // what falls below it is dropped
  bool across_classes = false;
  std::size_t most = 300;  // that stay, the most probable ones
  int runs = 1;            // fusion: of so many; a box that only k of them saw has min(k, runs) / runs of its score
};

// Sorted by falling score; equal scores keep their order. Soft: Bodla et al. 2017, arXiv:1704.04503; fusion: Solovyev et al. 2021,
// arXiv:1910.13302. Error for boxes or scores that are not finite.
Detections suppress(Detections detections, const Suppression& options);

// "hard", "soft_linear", "soft_gaussian" or "fusion". Error for anything else.
Suppression::Kind suppression_called(const std::string& name);

}  // namespace fovea
