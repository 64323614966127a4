// Sums and maxima over axes. Blocks are fixed by the shape alone, so results do not depend on the thread count.
// f32 and bf16 accumulate in f32 within a block of rows and in f64 across blocks; f64 in f64.
#pragma once

#include <vector>

#include "modules/core/tensor.hpp"

namespace fovea {

// Sums over the axes that are set in `axes` (they stay, with size 1). The result has the input's type.
Tensor sum_over(const Tensor& t, const std::vector<bool>& axes, double scale = 1);

// Sums a gradient of a broadcast result back to the shape of the operand. Returns `t` itself where nothing was broadcast.
Tensor sum_to(const Tensor& t, const Shape& shape);

// Maximum over the axes (kept with size 1), and the flat position of the first maximum among the reduced elements
// (row-major order of the reduced axes), s64.
Tensor max_over(const Tensor& t, const std::vector<bool>& axes, Tensor* positions);

}  // namespace fovea
