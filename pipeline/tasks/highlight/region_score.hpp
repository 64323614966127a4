// What an explanation of a highlighting network explains: how sure it is of a class where it found it.
#pragma once

#include "modules/heads/highlight.hpp"
#include "pipeline/task.hpp"

namespace fovea {

// The mean logit of the class over the pixels that it was found on; where there are none, over all. Of the class that `target` names, else of the one with the most
// pixels. Its pixels are those of at least the rules' threshold. Error for a class that there is not.
ScoreOf region_score(const Model& model, const RegionRules& rules, const std::string& target, int top);

}  // namespace fovea
