#include "modules/plan/kernels/window.hpp"

#include <algorithm>

#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"

namespace fovea::plan {
namespace {

FOVEA_SIMD void keep_larger(float* best, const float* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) best[i] = (x[i] > best[i]) | ((x[i] != x[i]) & (best[i] == best[i])) ? x[i] : best[i];
}
FOVEA_SIMD void add(float* sum, const float* x, float scale, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) sum[i] += x[i] * scale;
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

}  // namespace

void pool_windows(const role::Pool& pool, const Shape& in, const Shape& out, const float* x, float* y) {
  const std::int64_t c = in[1], h = in[2], w = in[3];
  parallel_for(out[0] * out[2], std::max<std::int64_t>(1, 16384 / (out[3] * c)), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t r = first; r < last; ++r) {
      const Span rows(pool, r % out[2], h);
      const float* sample = x + r / out[2] * h * w * c;
      for (std::int64_t o = 0; o < out[3]; ++o) {
        const Span columns(pool, o, w);
        float* to = y + (r * out[3] + o) * c;
        const auto scale = static_cast<float>(1 / (rows.padded * columns.padded));
        if (pool.maximum) std::copy_n(sample + (rows.begin * w + columns.begin) * c, c, to);
        else std::fill_n(to, c, 0.0f);
        for (std::int64_t a = rows.begin; a < rows.end; ++a)
          for (std::int64_t b = columns.begin; b < columns.end; ++b) {
            const float* from = sample + (a * w + b) * c;
            if (pool.maximum) keep_larger(to, from, c);
            else add(to, from, scale, c);
          }
      }
    }
  });
}

}  // namespace fovea::plan
