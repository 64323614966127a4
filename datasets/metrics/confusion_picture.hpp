// A confusion matrix to look at.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fovea {

// An SVG of counts[true class][class that was said]: rows are the truth, columns what was said, shades the share of the row.
// Numbers are written while they fit. Error for a matrix that is not classes x classes.
std::string confusion_picture(const std::vector<std::string>& classes, const std::vector<std::vector<std::int64_t>>& counts,
                              const std::string& title);

}  // namespace fovea
