// How wrong a detector's outputs are about a batch.
#pragma once

#include "modules/nn/detection_losses.hpp"
#include "modules/nn/head.hpp"
#include "modules/train/batch_source.hpp"
#include "pipeline/tasks/detect/assign.hpp"

namespace fovea {

struct DetectLossOptions {
  AssignOptions assign;
  FocalOptions classes;
  bool quality = true;  // targets of classes say how well the box fits (quality focal loss); else they are 0 and 1
  BoxLoss boxes = BoxLoss::giou;
  double class_weight = 1, box_weight = 2, bin_weight = 0.25;
};

// The keys `assign`, `class_loss` (quality, focal, cross_entropy), `box_loss` and the weights. `anchors`: whether the head has them.
DetectLossOptions read_detect_loss(Args& args, bool anchors);

// Targets "boxes" and "labels" as BoxSource gives them (datasets/boxes/source.hpp). The sum of the losses of classes, boxes and, where the head has
// them, bins, each over the sum of the targets (at least 1).
Var detect_loss(const NamedVars& outputs, const Batch& batch, const BoxCoding& coding, std::int64_t classes,
                const DetectLossOptions& options);

}  // namespace fovea
