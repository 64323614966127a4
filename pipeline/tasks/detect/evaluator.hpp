// How well a detector finds objects: COCO's figures on pictures with boxes.
#pragma once

#include "datasets/boxes/annotations.hpp"
#include "datasets/metrics/boxes.hpp"
#include "pipeline/task.hpp"
#include "pipeline/tasks/detect/detector.hpp"

namespace fovea {

// What COCO's figures are measured with: every box that has any score, the 100 best of each class and picture.
DetectOptions measuring_options();

// Adds what the detector finds on a picture; gives it. A picture that cannot be read goes to `bad` and is not counted.
Detections measure_boxes(BoxMetrics& metrics, const Detector& detector, const AnnotatedImage& image, std::vector<BadFile>& bad);

std::unique_ptr<Evaluator> detect_evaluator();

}  // namespace fovea
