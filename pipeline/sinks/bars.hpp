// Numbers without a position, such as the gates of channels, as a picture.
#pragma once

#include <string>
#include <vector>

namespace fovea {

// A self-contained SVG: one bar a value from zero, the extremes named on the axis.
std::string bars_svg(const std::string& title, const std::vector<double>& values);

}  // namespace fovea
