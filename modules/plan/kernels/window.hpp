// Pooling over windows of a channels-last map: maximum (a NaN wins) or mean.
#pragma once

#include "modules/plan/graph.hpp"

namespace fovea::plan {

void pool_windows(const role::Pool& pool, const Shape& in, const Shape& out, const float* x, float* y);

}  // namespace fovea::plan
