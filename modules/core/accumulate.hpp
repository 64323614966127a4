// sum += value, for gradients. In place when `sum` is the only holder of its memory, else into fresh memory.
#pragma once

#include "modules/core/tensor.hpp"

namespace fovea {

void accumulate(Tensor& sum, const Tensor& value);

}  // namespace fovea
