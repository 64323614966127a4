// The logit that a box came from, as what an explanation explains.
#pragma once

#include "modules/model.hpp"
#include "pipeline/task.hpp"

namespace fovea {

// A class logit at one position of one level: N from the network's outputs.
struct ClassLogit {
  std::string output;  // "class.8"
  std::int64_t channel = 0, row = 0, column = 0;
  Var operator()(const NamedVars& outputs) const;
};

// The logit of the surest box, or of the surest of the class that `target` names. Error for a class that there is not.
ScoreOf box_score(const Model& model, const std::string& target, int top);

}  // namespace fovea
