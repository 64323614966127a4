// Sums and maxima over axes of tensors of any layout, f64, f32 or bf16. f32 and bf16 accumulate in f32 within a block of rows and in f64
// across blocks, f64 in f64. Blocks depend on the shape alone, so that results have the same bits for every number of threads.
#pragma once

#include <vector>

#include "modules/core/tensor.hpp"

namespace fovea {

// scale * the sum over the axes for which `axes` (one flag for each axis of t) is set; they stay, with size 1. The result has t's type; a
// tensor without elements gives zeros. Error where the number of flags is not t's rank.
Tensor sum_over(const Tensor& t, const std::vector<bool>& axes, double scale = 1);

// The inverse of broadcasting, for gradients: sums t to `shape`, which must broadcast to t's shape. Returns `t` itself where the
// shapes are the same.
Tensor sum_to(const Tensor& t, const Shape& shape);

// The maximum over the axes that are set (they stay, with size 1); a NaN wins. `positions`, unless null, becomes the index of the first
// maximum among the reduced elements, counted in row-major order of the reduced axes: s64, of the result's shape. Error where t has no
// elements or the number of flags is not its rank.
Tensor max_over(const Tensor& t, const std::vector<bool>& axes, Tensor* positions);

}  // namespace fovea
