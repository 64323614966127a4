// Strided copies at the speed of memory: contiguous rows where both sides have them, 16x16 blocks where an axis that is contiguous on one
// side is not on the other.
#pragma once

#include "modules/plan/strided_view.hpp"

namespace fovea::plan {

// y must not overlap x. Threads share the work.
void strided_copy(const StridedCopy& c, const float* x, float* y);

}  // namespace fovea::plan
