// What a run writes down about its model.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "modules/model.hpp"

namespace fovea {

// For people, in the order in which to show them: name, scale, parameters, arithmetic for one megapixel, where it comes from.
std::vector<std::pair<std::string, std::string>> model_facts(const Model& model);

}  // namespace fovea
