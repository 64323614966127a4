// How well a network classifies: precision, recall and F1 of each class, top-1 and top-5, calibration; or how often it agrees with a teacher.
#pragma once

#include "pipeline/task.hpp"

namespace fovea {

std::unique_ptr<Evaluator> class_evaluator();
// `fovea eval predictions`: a table that was written, against labels.
std::unique_ptr<AnswerScorer> prediction_scorer();

}  // namespace fovea
