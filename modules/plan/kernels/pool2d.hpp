// Max and average pooling over the windows of a dense channels-last map, computed in f32. A NaN wins over every maximum.
#pragma once

#include "modules/plan/graph.hpp"

namespace fovea::plan {

// in: (N, C, H, W); out: (N, C, OH, OW). T and U are float or bf16. Threads share the rows of the output.
template <class T, class U>
void pool2d(const role::Pool2d& pool, const Shape& in, const Shape& out, const T* x, U* y);

}  // namespace fovea::plan
