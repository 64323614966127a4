#include "modules/plan/kernels/gemv.hpp"

#include <algorithm>
#include <array>

#include "modules/core/threads.hpp"
#include "modules/ops/kernels/lanes.hpp"

namespace fovea::plan {
namespace {

using L = kernels::Lanes16;
constexpr std::int64_t kRows = 4;    // short rows of the matrix that share the loads of the vector
constexpr std::int64_t kLong = 128;  // elements of a row that is read by itself: sequential reads of main memory are the fastest
constexpr std::int64_t kFewPositions = 4, kLargest = 65536;
constexpr std::int64_t kGrain = 32768;  // products that a further thread is worth
constexpr std::int64_t kBlock = 256;    // results that are computed at a time
// Distance of the software prefetch, in floats: a gate's weights come from main memory once in a run and are too few for the hardware
// prefetcher. 64 -> 1024 takes 13 us with it and 18 us without.
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

// Scalar products of Rows rows of a matrix with a vector, each in Sums partial sums.
template <int Rows, int Sums>
FOVEA_INLINE void row_products(const float* matrix, const float* vector, std::int64_t n, float* out) {
  L::Floats sum[Rows * Sums]{}, a, b;
  std::int64_t i = 0;
  for (; i + Sums * L::count <= n; i += Sums * L::count)
    for (int s = 0; s < Sums; ++s) {
      L::load(b, vector + i + s * L::count);
      for (int r = 0; r < Rows; ++r) {
        const float* at = matrix + r * n + i + s * L::count;
        __builtin_prefetch(at + kAhead);
        L::load(a, at), sum[r * Sums + s] += a * b;
      }
    }
  for (int r = 0; r < Rows; ++r) {
    float rest = 0;
    for (std::int64_t k = i; k < n; ++k) rest += matrix[r * n + k] * vector[k];
    for (int s = 1; s < Sums; ++s) sum[r * Sums] += sum[r * Sums + s];
    out[r] = total(sum[r * Sums]) + rest;
  }
}

// out[r] = sum over k of matrix[r][k] vector[k], for all rows
FOVEA_SIMD void matrix_vector(const float* matrix, const float* vector, std::int64_t rows, std::int64_t n, float* out) {
  std::int64_t r = 0;
  if (n >= kLong)
    for (; r < rows; ++r) row_products<1, 8>(matrix + r * n, vector, n, out + r);
  for (; r + kRows <= rows; r += kRows) row_products<kRows, 1>(matrix + r * n, vector, n, out + r);
  for (; r < rows; ++r) row_products<1, 1>(matrix + r * n, vector, n, out + r);
}

}  // namespace

bool Gemv::fits(std::int64_t positions, std::int64_t in, std::int64_t out) {
  return positions == 1 || (positions <= kFewPositions && in * out <= kLargest) || out == 1;
}

void gemv(const Gemv& g, const GemvArguments& a) {
  const bool by_position = g.out == 1;  // the matrix is x, else w
  const std::int64_t rows = by_position ? g.positions : g.out, times = by_position ? 1 : g.positions;
  const float *matrix = by_position ? a.x : a.w, *vector = by_position ? a.w : a.x;
  const auto some = [&](std::int64_t first, std::int64_t n, std::int64_t t) {
    std::array<float, kBlock> sums;  // y may be the residual
    matrix_vector(matrix + first * g.in, vector + t * g.in, n, g.in, sums.data());
    const std::int64_t at = t * rows + first;
    for (std::int64_t r = 0; a.bias && r < n; ++r) sums[static_cast<std::size_t>(r)] += a.bias[by_position ? 0 : first + r];
    for (std::int64_t r = 0; a.residual && r < n; ++r) sums[static_cast<std::size_t>(r)] += a.residual[at + r];
    if (a.after) a.after->row(a.y + at, sums.data(), n, a.after->a, a.after->b);
    else std::copy_n(sums.data(), n, a.y + at);
  };
  parallel_for(rows, std::max<std::int64_t>(1, kGrain / (g.in * times)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = 0; t < times; ++t)
      for (std::int64_t first = begin; first < end; first += kBlock) some(first, std::min(kBlock, end - first), t);
  });
}

}  // namespace fovea::plan
