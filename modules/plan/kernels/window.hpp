// Pooling over windows of a channels-last map: maximum (a NaN wins) or mean, computed in f32.
#pragma once

#include "modules/plan/graph.hpp"

namespace fovea::plan {

// T and U are float or bf16.
template <class T, class U>
void pool_windows(const role::Pool& pool, const Shape& in, const Shape& out, const T* x, U* y);

}  // namespace fovea::plan
