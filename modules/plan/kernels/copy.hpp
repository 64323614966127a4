// Strided copies at the speed of memory: rows where both sides have neighbours, small squares where only one has.
#pragma once

#include "modules/plan/strided.hpp"

namespace fovea::plan {

void copy(const Move& m, const float* x, float* y);

}  // namespace fovea::plan
