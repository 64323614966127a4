// Scores of regions as text.
#pragma once

#include "datasets/metrics/objects.hpp"
#include "datasets/metrics/regions.hpp"

namespace fovea {

// `objects`: of the same classes, or none.
std::string region_table(const std::vector<RegionScores>& scores, const std::vector<ObjectMetrics>& objects);
nlohmann::ordered_json region_json(const std::vector<RegionScores>& scores, const std::vector<ObjectMetrics>& objects);

}  // namespace fovea
