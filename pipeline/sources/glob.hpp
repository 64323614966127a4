// The patterns of core/glob.hpp over the components of a path, for walks that see one folder after another.
#pragma once

#include <string>
#include <vector>

#include "modules/core/glob.hpp"

namespace fovea {

using Components = std::vector<std::string>;
// Error for patterns that are too long or nested too deep.
bool path_matches(const Components& pattern, const Components& path);

// Whether something below the folder `path` could match: what a walk may leave out.
bool path_may_lead_to_match(const Components& pattern, const Components& path);

}  // namespace fovea
