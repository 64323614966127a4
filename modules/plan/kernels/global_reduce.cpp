#include "modules/plan/kernels/global_reduce.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"
#include "modules/plan/kernels/row_sums.hpp"

namespace fovea::plan {
namespace {

constexpr std::int64_t kPart = 16384;  // elements that a further thread is worth
constexpr std::int64_t kParts = 16;    // of a sample at most: joining them reads this many rows
constexpr std::int64_t kJoined = 256;  // channels that are joined at a time

// Joins the parts of one sample, for channels from .. from + n.
FOVEA_SIMD void join(const GlobalReduceParts& p, const float* parts, float* mean, float* maximum, std::int64_t from,
                     std::int64_t n) {
  std::array<double, kJoined> total{};
  std::array<float, kJoined> top;
  top.fill(-std::numeric_limits<float>::infinity());
  for (std::int64_t k = 0; k < p.parts; ++k) {
    const float* sum = parts + k * 2 * p.channels + from;
    row_sums::fold(total.data(), top.data(), sum, maximum ? sum + p.channels : nullptr, n);
  }
  for (std::int64_t i = 0; i < n; ++i) {
    if (mean) mean[from + i] = static_cast<float>(total[static_cast<std::size_t>(i)] / static_cast<double>(p.positions));
    if (maximum) maximum[from + i] = top[static_cast<std::size_t>(i)];
  }
}

template <class T>
FOVEA_INLINE void reduce_position(float& best, float& sum, const T* x, std::int64_t n) {
  float top = -std::numeric_limits<float>::infinity(), total = 0;
#pragma omp simd reduction(max : top) reduction(+ : total)
  for (std::int64_t i = 0; i < n; ++i) {
    const float v = x[i];
    top = v > top ? v : top;
    total += v;
  }
  if (total != total)
    for (std::int64_t i = 0; i < n; ++i) {
      const float v = x[i];
      top = v != v ? v : top;
    }
  best = top, sum = total;
}

template <class T>
FOVEA_SIMD void reduce_positions(float* y, const T* x, std::int64_t positions, std::int64_t channels, bool mean_first) {
  const float scale = static_cast<float>(channels);
  for (std::int64_t p = 0; p < positions; ++p) {
    float best, sum;
    reduce_position(best, sum, x + p * channels, channels);
    y[2 * p + (mean_first ? 1 : 0)] = best;
    y[2 * p + (mean_first ? 0 : 1)] = sum / scale;
  }
}

}  // namespace

GlobalReduceParts::GlobalReduceParts(std::int64_t n, std::int64_t count, std::int64_t c)
    : samples(n), positions(count), channels(c) {
  parts = std::clamp<std::int64_t>(positions * channels / kPart, 1, std::min(kParts, positions));
  part = (positions + parts - 1) / parts;
  parts = (positions + part - 1) / part;
}

template <class T>
void global_reduce(const GlobalReduceParts& p, const T* x, float* mean, float* maximum, float* workspace) {
  const std::int64_t grain = std::max<std::int64_t>(1, kPart / std::max<std::int64_t>(1, p.part * p.channels));
  parallel_for(p.samples * p.parts, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % p.parts * p.part, rows = std::min(p.part, p.positions - first);
      float *sum = workspace + i * 2 * p.channels, *best = sum + p.channels;
      const T* from = x + (i / p.parts * p.positions + first) * p.channels;
      if (maximum) row_sums::reduce_rows<true>(sum, best, from, rows, p.channels, p.channels, true);
      else row_sums::reduce_rows<false>(sum, best, from, rows, p.channels, p.channels, true);
    }
  });
  for (std::int64_t n = 0; n < p.samples; ++n)
    for (std::int64_t from = 0; from < p.channels; from += kJoined)
      join(p, workspace + n * p.parts * 2 * p.channels, mean ? mean + n * p.channels : nullptr,
           maximum ? maximum + n * p.channels : nullptr, from, std::min(kJoined, p.channels - from));
}

template <class T>
void channel_reduce(float* y, const T* x, std::int64_t positions, std::int64_t channels, bool mean_first) {
  reduce_positions(y, x, positions, channels, mean_first);
}

template void global_reduce(const GlobalReduceParts&, const float*, float*, float*, float*);
template void global_reduce(const GlobalReduceParts&, const bf16*, float*, float*, float*);
template void channel_reduce(float*, const float*, std::int64_t, std::int64_t, bool);
template void channel_reduce(float*, const bf16*, std::int64_t, std::int64_t, bool);

}  // namespace fovea::plan
