// Sums and maxima down rows of contiguous elements, which the reductions of a map are made of. All but reduce_rows are
// to be inlined into FOVEA_SIMD functions.
#pragma once

#include <cstdint>
#include <limits>

#include "modules/core/simd.hpp"

namespace fovea::plan::row_sums {

// Of two numbers, in one instruction; a NaN loses.
FOVEA_INLINE float larger(float a, float b) { return a > b ? a : b; }

// Adds `rows` rows of n elements, `stride` apart, to sum[0 .. n) and, with `maxima`, to best[0 .. n); `initialize` sets these to 0 and -inf
// first. Four rows at a time, so that sum and best are loaded and stored less often.
template <bool maxima, class T>
FOVEA_INLINE void add_rows(float* __restrict sum, float* __restrict best, const T* __restrict x, std::int64_t rows,
                           std::int64_t stride, std::int64_t n, bool initialize) {
  if (initialize)
    for (std::int64_t i = 0; i < n; ++i) {
      sum[i] = 0;
      if (maxima) best[i] = -std::numeric_limits<float>::infinity();
    }
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const T *row0 = x + r * stride, *row1 = row0 + stride, *row2 = row1 + stride, *row3 = row2 + stride;
    for (std::int64_t i = 0; i < n; ++i) {
      const float a = row0[i], b = row1[i], c = row2[i], d = row3[i];
      sum[i] += (a + b) + (c + d);
      if (maxima) best[i] = larger(larger(larger(a, b), larger(c, d)), best[i]);
    }
  }
  for (; r < rows; ++r)
    for (std::int64_t i = 0; i < n; ++i) {
      const float v = x[r * stride + i];
      sum[i] += v;
      if (maxima) best[i] = larger(v, best[i]);
    }
}

// add_rows ignores NaN in its maxima. Where the sum is NaN, this looks for one in the rows of x and makes it the maximum.
template <class T>
FOVEA_INLINE void find_nan(const float* sum, float* best, const T* x, std::int64_t rows, std::int64_t stride, std::int64_t n) {
  int any = 0;
  for (std::int64_t i = 0; i < n; ++i) any |= sum[i] != sum[i];
  if (!any) return;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t r = 0; r < rows && sum[i] != sum[i]; ++r)
      if (const float v = x[r * stride + i]; v != v) best[i] = v;
}

// add_rows and, with `maxima`, find_nan, as a function of its own.
template <bool maxima, class T>
FOVEA_SIMD static void reduce_rows(float* sum, float* best, const T* x, std::int64_t rows, std::int64_t stride, std::int64_t n,
                                   bool initialize) {
  add_rows<maxima>(sum, best, x, rows, stride, n, initialize);
  if (maxima) find_nan(sum, best, x, rows, stride, n);
}

// Adds the sums and maxima of a part to those of all parts. best may be null.
FOVEA_INLINE void fold(double* __restrict total, float* __restrict top, const float* __restrict sum, const float* __restrict best,
                       std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) total[i] += static_cast<double>(sum[i]);
  if (!best) return;
  for (std::int64_t i = 0; i < n; ++i) top[i] = best[i] != best[i] || best[i] > top[i] ? best[i] : top[i];
}

}  // namespace fovea::plan::row_sums
