#include "modules/plan/kernels/pool2d.hpp"

#include <algorithm>

#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"

namespace fovea::plan {
namespace {

// The part of the map under output `o` along one axis.
struct Span {
  std::int64_t begin, end;
  double padded;  // length, with the padding where it counts
  FOVEA_INLINE Span(const role::Pool2d& p, std::int64_t o, std::int64_t size) {
    const std::int64_t from = o * p.stride - p.pad;
    begin = std::max<std::int64_t>(0, from), end = std::min(size, from + p.kernel);
    padded = static_cast<double>(p.count_pad ? std::min(from + p.kernel, size + p.pad) - from : end - begin);
  }
};

// The part of the map under one output.
struct Under {
  std::int64_t rows, columns, row;  // row: elements from one row to the next
  float scale;
};

constexpr std::int64_t kBlock = 32;  // channels whose values stay in registers

FOVEA_INLINE float keep_larger(float best, float x) { return (x > best) | ((x != x) & (best == best)) ? x : best; }

template <bool maximum, class T, class U>
FOVEA_INLINE void block(const Under& u, const T* x, std::int64_t c, std::int64_t n, U* y) {
  float best[kBlock];
  for (std::int64_t i = 0; i < n; ++i) best[i] = maximum ? static_cast<float>(x[i]) : 0;
  for (std::int64_t a = 0; a < u.rows; ++a)
    for (std::int64_t b = 0; b < u.columns; ++b) {
      const T* from = x + a * u.row + b * c;
      for (std::int64_t i = 0; i < n; ++i) {
        const float v = from[i];
        best[i] = maximum ? keep_larger(best[i], v) : best[i] + v * u.scale;
      }
    }
  for (std::int64_t i = 0; i < n; ++i) y[i] = best[i];
}

// One row of the output; `rows` are under it.
template <bool maximum, class T, class U>
FOVEA_SIMD void reduce_row(const role::Pool2d& pool, const Span& rows, const T* x, std::int64_t width, std::int64_t c, U* y,
                           std::int64_t count) {
  for (std::int64_t o = 0; o < count; ++o, y += c) {
    const Span columns(pool, o, width);
    const Under u{rows.end - rows.begin, columns.end - columns.begin, width * c,
                  static_cast<float>(1 / (rows.padded * columns.padded))};
    const T* from = x + (rows.begin * width + columns.begin) * c;
    std::int64_t i = 0;
    for (; i + kBlock <= c; i += kBlock) block<maximum>(u, from + i, c, kBlock, y + i);
    if (i < c) block<maximum>(u, from + i, c, c - i, y + i);
  }
}

}  // namespace

template <class T, class U>
void pool2d(const role::Pool2d& pool, const Shape& in, const Shape& out, const T* x, U* y) {
  const std::int64_t c = in[1], h = in[2], w = in[3];
  parallel_for(out[0] * out[2], std::max<std::int64_t>(1, 16384 / (out[3] * c)), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t r = first; r < last; ++r) {
      const Span rows(pool, r % out[2], h);
      const T* sample = x + r / out[2] * h * w * c;
      if (pool.maximum) reduce_row<true>(pool, rows, sample, w, c, y + r * out[3] * c, out[3]);
      else reduce_row<false>(pool, rows, sample, w, c, y + r * out[3] * c, out[3]);
    }
  });
}

template void pool2d(const role::Pool2d&, const Shape&, const Shape&, const float*, float*);
template void pool2d(const role::Pool2d&, const Shape&, const Shape&, const float*, bf16*);
template void pool2d(const role::Pool2d&, const Shape&, const Shape&, const bf16*, float*);
template void pool2d(const role::Pool2d&, const Shape&, const Shape&, const bf16*, bf16*);

}  // namespace fovea::plan
