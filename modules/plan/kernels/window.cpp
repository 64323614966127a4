#include "modules/plan/kernels/window.hpp"

#include <algorithm>
#include <array>

#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"

namespace fovea::plan {
namespace {

constexpr std::int64_t kTogether = 1024;  // channels whose results stay in the first cache

template <class T>
FOVEA_SIMD void keep_larger(float* best, const T* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float v = x[i];
    best[i] = (v > best[i]) | ((v != v) & (best[i] == best[i])) ? v : best[i];
  }
}
template <class T>
FOVEA_SIMD void add(float* sum, const T* x, float scale, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) sum[i] += static_cast<float>(x[i]) * scale;
}
template <class T, class U>
FOVEA_SIMD void copy(U* to, const T* from, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<float>(from[i]);
}

struct Span {
  std::int64_t begin, end;
  double padded;  // length with the padding that counts
  Span(const role::Pool& p, std::int64_t o, std::int64_t size) {
    const std::int64_t from = o * p.stride - p.pad;
    begin = std::max<std::int64_t>(0, from), end = std::min(size, from + p.kernel);
    padded = static_cast<double>(p.count_pad ? std::min(from + p.kernel, size + p.pad) - from : end - begin);
  }
};

// One place's result for at most kTogether of the channels. sample: at the first of them.
template <class T, class U>
void pool_place(const role::Pool& pool, const Span& rows, const Span& columns, std::int64_t w, std::int64_t c, std::int64_t n,
                const T* sample, U* y) {
  std::array<float, kTogether> result;
  const auto scale = static_cast<float>(1 / (rows.padded * columns.padded));
  if (pool.maximum) copy(result.data(), sample + (rows.begin * w + columns.begin) * c, n);
  else std::fill_n(result.data(), n, 0.0f);
  for (std::int64_t a = rows.begin; a < rows.end; ++a)
    for (std::int64_t b = columns.begin; b < columns.end; ++b) {
      const T* from = sample + (a * w + b) * c;
      if (pool.maximum) keep_larger(result.data(), from, n);
      else add(result.data(), from, scale, n);
    }
  copy(y, result.data(), n);
}

}  // namespace

template <class T, class U>
void pool_windows(const role::Pool& pool, const Shape& in, const Shape& out, const T* x, U* y) {
  const std::int64_t c = in[1], h = in[2], w = in[3];
  parallel_for(out[0] * out[2], std::max<std::int64_t>(1, 16384 / (out[3] * c)), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t r = first; r < last; ++r) {
      const Span rows(pool, r % out[2], h);
      for (std::int64_t o = 0; o < out[3]; ++o)
        for (std::int64_t k = 0; k < c; k += kTogether)
          pool_place(pool, rows, Span(pool, o, w), w, c, std::min(kTogether, c - k), x + r / out[2] * h * w * c + k,
                     y + (r * out[3] + o) * c + k);
    }
  });
}

template void pool_windows(const role::Pool&, const Shape&, const Shape&, const float*, float*);
template void pool_windows(const role::Pool&, const Shape&, const Shape&, const float*, bf16*);
template void pool_windows(const role::Pool&, const Shape&, const Shape&, const bf16*, float*);
template void pool_windows(const role::Pool&, const Shape&, const Shape&, const bf16*, bf16*);

}  // namespace fovea::plan
