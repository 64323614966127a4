#include "modules/plan/kernels/row_column_reduce.hpp"

#include <limits>

#include "modules/ops/kernels/lanes.hpp"
#include "modules/plan/kernels/row_sums.hpp"

namespace fovea::plan {
namespace {

using L = kernels::Lanes16;
using V = L::Floats;

constexpr std::int64_t kChunk = 256;  // channels whose sums along the rows stay in the first-level cache

FOVEA_INLINE void larger(V& top, const V& v) { top = v > top ? v : top; }

// Sums and maxima along each row, for a chunk of channels.
template <int Rows>
struct Along {
  alignas(64) float sum[Rows * kChunk], max[Rows * kChunk];
};

// n channels of `Positions` positions from element `at` of each row: the more positions, the less often the sums along the rows are loaded
// and stored.
template <int Rows, int Positions, bool maxima, class T>
FOVEA_INLINE void reduce_positions(const RowColumnReduce& c, const T* x, std::int64_t at, std::int64_t n, Along<Rows>& along) {
  const std::int64_t row = c.width * c.channels;
  const V none = V{} - std::numeric_limits<float>::infinity();
  for (std::int64_t i = 0; i < n; i += L::count) {
    V sum[Rows], top[Rows];
    for (int r = 0; r < Rows; ++r) {
      L::load(sum[r], along.sum + r * kChunk + i);
      if (maxima) L::load(top[r], along.max + r * kChunk + i);
    }
    for (int p = 0; p < Positions; ++p) {
      const std::int64_t here = at + p * c.channels + i;
      V down = {}, peak = none;
      if (!c.initialize) {
        L::load(down, c.down_sum + here);
        if (maxima) L::load(peak, c.down_max + here);
      }
      for (int r = 0; r < Rows; ++r) {
        V value;
        L::load(value, x + r * row + here);
        down += value, sum[r] += value;
        if (maxima) larger(peak, value), larger(top[r], value);
      }
      L::store(c.down_sum + here, down);
      if (maxima) L::store(c.down_max + here, peak);
    }
    for (int r = 0; r < Rows; ++r) {
      L::store(along.sum + r * kChunk + i, sum[r]);
      if (maxima) L::store(along.max + r * kChunk + i, top[r]);
    }
  }
}

template <int Rows, bool maxima, class T>
FOVEA_SIMD void reduce_rows(const RowColumnReduce& c, const T* x) {
  constexpr int kPositions = 4;
  Along<Rows> along;
  for (std::int64_t channel = 0; channel < c.channels; channel += kChunk) {
    const std::int64_t n = c.channels - channel < kChunk ? c.channels - channel : kChunk;
    for (std::int64_t i = 0; i < Rows * kChunk; ++i) along.sum[i] = 0, along.max[i] = -std::numeric_limits<float>::infinity();
    std::int64_t w = 0;
    for (; w + kPositions <= c.width; w += kPositions)
      reduce_positions<Rows, kPositions, maxima>(c, x, w * c.channels + channel, n, along);
    for (; w < c.width; ++w) reduce_positions<Rows, 1, maxima>(c, x, w * c.channels + channel, n, along);
    for (int r = 0; r < Rows; ++r)
      for (std::int64_t i = 0; i < n; ++i) {
        c.along_mean[r * c.row_stride + channel + i] = along.sum[r * kChunk + i] * c.scale;
        if (maxima) c.along_max[r * c.row_stride + channel + i] = along.max[r * kChunk + i];
      }
  }
  if (!maxima) return;
  const std::int64_t row = c.width * c.channels;
  row_sums::find_nan(c.down_sum, c.down_max, x, Rows, row, row);
  for (int r = 0; r < Rows; ++r)
    row_sums::find_nan(c.along_mean + r * c.row_stride, c.along_max + r * c.row_stride, x + r * row, c.width, c.channels,
                       c.channels);
}

// As many rows at once as there is a function for: 7, 4, 2, 1.
template <int Rows, class T>
void dispatch_rows(RowColumnReduce& c, const T*& x) {
  for (; c.rows >= Rows; c.rows -= Rows, x += Rows * c.width * c.channels) {
    if (c.down_max) reduce_rows<Rows, true>(c, x);
    else reduce_rows<Rows, false>(c, x);
    c.initialize = false;
    c.along_mean += Rows * c.row_stride;
    if (c.along_max) c.along_max += Rows * c.row_stride;
  }
  if constexpr (Rows > 1) dispatch_rows<(Rows + 1) / 2>(c, x);
}

}  // namespace

template <class T>
void row_column_reduce(RowColumnReduce c, const T* x) {
  dispatch_rows<RowColumnReduce::kRows>(c, x);
}

template void row_column_reduce(RowColumnReduce, const float*);
template void row_column_reduce(RowColumnReduce, const bf16*);

}  // namespace fovea::plan
