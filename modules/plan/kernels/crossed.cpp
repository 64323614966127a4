#include "modules/plan/kernels/crossed.hpp"

#include <limits>

#include "modules/ops/kernels/lanes.hpp"
#include "modules/plan/kernels/running.hpp"

namespace fovea::plan {
namespace {

using L = kernels::Lanes16;
using V = L::Floats;

constexpr std::int64_t kChunk = 256;  // channels whose sums along the rows stay in the first cache

FOVEA_INLINE void larger(V& top, const V& v) { top = v > top ? v : top; }

// Sums and maxima along each row, of a chunk of channels.
template <int Rows>
struct Along {
  alignas(64) float sum[Rows * kChunk], top[Rows * kChunk];
};

// Positions side by side, n channels of them: the more, the less often the running values along the rows are loaded and stored.
template <int Rows, int Positions, bool maxima, class T>
FOVEA_INLINE void cross(const Crossed& c, const T* x, std::int64_t at, std::int64_t n, Along<Rows>& along) {
  const std::int64_t row = c.width * c.channels;
  const V none = V{} - std::numeric_limits<float>::infinity();
  for (std::int64_t i = 0; i < n; i += L::count) {
    V sum[Rows], top[Rows];
    for (int r = 0; r < Rows; ++r) {
      L::load(sum[r], along.sum + r * kChunk + i);
      if (maxima) L::load(top[r], along.top + r * kChunk + i);
    }
    for (int p = 0; p < Positions; ++p) {
      const std::int64_t place = at + p * c.channels + i;
      V down = {}, peak = none;
      if (!c.fresh) {
        L::load(down, c.down_sum + place);
        if (maxima) L::load(peak, c.down_top + place);
      }
      for (int r = 0; r < Rows; ++r) {
        V value;
        L::load(value, x + r * row + place);
        down += value, sum[r] += value;
        if (maxima) larger(peak, value), larger(top[r], value);
      }
      L::store(c.down_sum + place, down);
      if (maxima) L::store(c.down_top + place, peak);
    }
    for (int r = 0; r < Rows; ++r) {
      L::store(along.sum + r * kChunk + i, sum[r]);
      if (maxima) L::store(along.top + r * kChunk + i, top[r]);
    }
  }
}

template <int Rows, bool maxima, class T>
FOVEA_SIMD void cross_rows(const Crossed& c, const T* x) {
  constexpr int kTogether = 4;
  Along<Rows> along;
  for (std::int64_t channel = 0; channel < c.channels; channel += kChunk) {
    const std::int64_t n = c.channels - channel < kChunk ? c.channels - channel : kChunk;
    for (std::int64_t i = 0; i < Rows * kChunk; ++i) along.sum[i] = 0, along.top[i] = -std::numeric_limits<float>::infinity();
    std::int64_t w = 0;
    for (; w + kTogether <= c.width; w += kTogether) cross<Rows, kTogether, maxima>(c, x, w * c.channels + channel, n, along);
    for (; w < c.width; ++w) cross<Rows, 1, maxima>(c, x, w * c.channels + channel, n, along);
    for (int r = 0; r < Rows; ++r)
      for (std::int64_t i = 0; i < n; ++i) {
        c.along_mean[r * c.step + channel + i] = along.sum[r * kChunk + i] * c.scale;
        if (maxima) c.along_top[r * c.step + channel + i] = along.top[r * kChunk + i];
      }
  }
  if (!maxima) return;
  const std::int64_t row = c.width * c.channels;
  running::find_nan(c.down_sum, c.down_top, x, Rows, row, row);
  for (int r = 0; r < Rows; ++r)
    running::find_nan(c.along_mean + r * c.step, c.along_top + r * c.step, x + r * row, c.width, c.channels, c.channels);
}

template <int Rows, class T>
void cross_some(const Crossed& c, const T* x) {
  if (c.rows < Rows) {
    if constexpr (Rows > 1) cross_some<Rows - 1>(c, x);
  } else if (c.down_top) cross_rows<Rows, true>(c, x);
  else cross_rows<Rows, false>(c, x);
}

}  // namespace

template <class T>
void crossed(const Crossed& c, const T* x) {
  cross_some<Crossed::kRows>(c, x);
}

template void crossed(const Crossed&, const float*);
template void crossed(const Crossed&, const bf16*);

}  // namespace fovea::plan
