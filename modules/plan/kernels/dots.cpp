#include "modules/plan/kernels/dots.hpp"

#include <algorithm>
#include <array>

#include "modules/core/threads.hpp"
#include "modules/ops/kernels/lanes.hpp"

namespace fovea::plan {
namespace {

using L = kernels::Lanes16;
constexpr std::int64_t kTogether = 4;  // rows that share the loads of the other factor, where they are short
constexpr std::int64_t kLong = 128;    // elements of a row that is read alone: main memory is fastest read straight on
constexpr std::int64_t kFewPositions = 4, kLargest = 65536;
constexpr std::int64_t kGrain = 32768;  // products worth a thread
constexpr std::int64_t kBlock = 256;    // results at a time
// A gate's weights come from main memory, once in a run, and are too few for the processor to foresee them: what lies so many floats
// ahead is called for. 64 -> 1024 takes 18 us without, 13 with.
constexpr std::int64_t kAhead = 2048;

FOVEA_INLINE float total(const L::Floats& v) {
  using Eight = float __attribute__((vector_size(32)));
  using Four = float __attribute__((vector_size(16)));
  Eight a, b;
  __builtin_memcpy(&a, &v, sizeof a), __builtin_memcpy(&b, reinterpret_cast<const char*>(&v) + sizeof a, sizeof b);
  a += b;
  Four c, d;
  __builtin_memcpy(&c, &a, sizeof c), __builtin_memcpy(&d, reinterpret_cast<const char*>(&a) + sizeof c, sizeof d);
  c += d;
  return (c[0] + c[1]) + (c[2] + c[3]);
}

// Sums of Rows rows, each spread over Sums vectors.
template <int Rows, int Sums>
FOVEA_INLINE void dots(const float* many, const float* one, std::int64_t n, float* out) {
  L::Floats sum[Rows * Sums]{}, a, b;
  std::int64_t i = 0;
  for (; i + Sums * L::count <= n; i += Sums * L::count)
    for (int s = 0; s < Sums; ++s) {
      L::load(b, one + i + s * L::count);
      for (int r = 0; r < Rows; ++r) {
        const float* at = many + r * n + i + s * L::count;
        __builtin_prefetch(at + kAhead);
        L::load(a, at), sum[r * Sums + s] += a * b;
      }
    }
  for (int r = 0; r < Rows; ++r) {
    float rest = 0;
    for (std::int64_t k = i; k < n; ++k) rest += many[r * n + k] * one[k];
    for (int s = 1; s < Sums; ++s) sum[r * Sums] += sum[r * Sums + s];
    out[r] = total(sum[r * Sums]) + rest;
  }
}

// out[r] = many[r] . one
FOVEA_SIMD void dot_rows(const float* many, const float* one, std::int64_t rows, std::int64_t n, float* out) {
  std::int64_t r = 0;
  if (n >= kLong)
    for (; r < rows; ++r) dots<1, 8>(many + r * n, one, n, out + r);
  for (; r + kTogether <= rows; r += kTogether) dots<kTogether, 1>(many + r * n, one, n, out + r);
  for (; r < rows; ++r) dots<1, 1>(many + r * n, one, n, out + r);
}

}  // namespace

bool Dots::fits(std::int64_t positions, std::int64_t in, std::int64_t out) {
  return positions == 1 || (positions <= kFewPositions && in * out <= kLargest) || out == 1;
}

void dot_products(const Dots& d, const DotArguments& a) {
  const bool by_position = d.out == 1;
  const std::int64_t rows = by_position ? d.positions : d.out, times = by_position ? 1 : d.positions;
  const float *many = by_position ? a.x : a.w, *one = by_position ? a.w : a.x;
  const auto some = [&](std::int64_t first, std::int64_t n, std::int64_t t) {
    std::array<float, kBlock> sums;  // the residual may lie where the result goes
    dot_rows(many + first * d.in, one + t * d.in, n, d.in, sums.data());
    const std::int64_t at = t * rows + first;
    for (std::int64_t r = 0; a.bias && r < n; ++r) sums[static_cast<std::size_t>(r)] += a.bias[by_position ? 0 : first + r];
    for (std::int64_t r = 0; a.residual && r < n; ++r) sums[static_cast<std::size_t>(r)] += a.residual[at + r];
    if (a.after) a.after->row(a.y + at, sums.data(), n, a.after->a, a.after->b);
    else std::copy_n(sums.data(), n, a.y + at);
  };
  parallel_for(rows, std::max<std::int64_t>(1, kGrain / (d.in * times)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = 0; t < times; ++t)
      for (std::int64_t first = begin; first < end; first += kBlock) some(first, std::min(kBlock, end - first), t);
  });
}

}  // namespace fovea::plan
