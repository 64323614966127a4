// From a detection head's outputs to boxes on the picture.
#pragma once

#include "datasets/boxes/placed.hpp"
#include "datasets/boxes/suppress.hpp"
#include "pipeline/tasks/detect/grid.hpp"

namespace fovea {

struct DecodeOptions {
  double confidence = 0.25;       // least score
  std::size_t candidates = 1000;  // the most probable boxes that suppression sees
  Suppression suppression = {};
};

// Boxes on the network's input before suppression, by falling score: every class of every prediction that reaches `confidence`, at most
// `candidates`. `picture`: of the batch. Error where a number is not finite.
Detections candidates_of(const NamedTensors& outputs, const DetectGrid& grid, std::int64_t picture, const DecodeOptions& options);

// From the network's input to the picture, clipped to it; what lies beside it or has no area is left out.
Detections on_picture(const Detections& detections, const Geometry& geometry);

// All of it for a batch of one.
Detections decode(const NamedTensors& outputs, const BoxCoding& coding, std::int64_t classes, const Geometry& geometry,
                  const DecodeOptions& options);

}  // namespace fovea
