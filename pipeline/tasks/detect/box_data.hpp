// The annotations of a training or a measurement, of one source or several.
#pragma once

#include <string>
#include <vector>

#include "datasets/boxes/annotations.hpp"

namespace fovea {

// All sources as one, with the classes given, or those of the first. Error for a source that cannot be read at all.
BoxData read_all(const std::vector<std::filesystem::path>& sources, const std::string& split,
                 const std::vector<std::string>& classes);

}  // namespace fovea
