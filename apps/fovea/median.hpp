// The median of measured times.
#pragma once

#include <vector>

namespace fovea {

// The upper one of the two in the middle where their number is even. `values` holds at least one.
double median(std::vector<double> values);

}  // namespace fovea
