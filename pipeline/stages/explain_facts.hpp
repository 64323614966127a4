// What an explanation's JSON says of positions and values.
#pragma once

#include "pipeline/stages/explain.hpp"

namespace fovea {

nlohmann::ordered_json facts_of(const Geometry& geometry);
nlohmann::ordered_json facts_of(const PlacedMap& map);

}  // namespace fovea
