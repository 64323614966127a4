// `fovea eval` of models for retrieval.
#pragma once

#include "pipeline/task.hpp"

namespace fovea {

std::unique_ptr<Evaluator> retrieve_evaluator();

}  // namespace fovea
