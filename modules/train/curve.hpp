// A training log as a picture.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fovea {

// An SVG with the loss (logarithmic, left axis) and the validation score (right axis) against steps.
std::string training_curve(const std::vector<nlohmann::json>& records);

}  // namespace fovea
