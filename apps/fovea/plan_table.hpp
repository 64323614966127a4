// What `fovea plan` prints of a plan: its steps under the modules they belong to, then what kinds of kernels and what attention cost.
#pragma once

#include <string>
#include <vector>

#include "modules/model.hpp"

namespace fovea {

// `seconds`: of each step.
std::string plan_table(const Model& model, const plan::Plan& plan, const std::vector<double>& seconds);

}  // namespace fovea
