// How well regions are found: overlap, curves, outlines, calibration, objects.
#pragma once

#include "pipeline/task.hpp"

namespace fovea {

std::unique_ptr<Evaluator> highlight_evaluator();
// `fovea eval regions`: masks, probabilities or objects that were written, or a second observer's, against the true ones.
std::unique_ptr<AnswerScorer> region_scorer();

}  // namespace fovea
