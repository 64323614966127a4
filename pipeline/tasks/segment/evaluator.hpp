// How well a network labels pixels: Dice and intersection over union, on the pictures' own pixels.
#pragma once

#include "datasets/masks.hpp"
#include "datasets/metrics/overlap.hpp"
#include "pipeline/task.hpp"

namespace fovea {

// Adds the labels of one picture, as the model sees it in use.
void measure_labels(OverlapMetrics& metrics, const Model& model, const MaskedPicture& picture, DType precision);

std::unique_ptr<Evaluator> label_evaluator();
// `fovea eval masks`: masks that were written, against the true ones.
std::unique_ptr<AnswerScorer> mask_scorer();

}  // namespace fovea
