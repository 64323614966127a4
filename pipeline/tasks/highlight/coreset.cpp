#include "pipeline/tasks/highlight/coreset.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "modules/core/random.hpp"
#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

constexpr std::int64_t kBlock = 2048;                          // rows of one job
constexpr std::uint64_t kFirstStream = 1, kProjectStream = 2;  // of random numbers

struct Farthest {
  float distance = -1;
  std::int64_t row = 0;
};

// Squared distances to the centre become those to the nearest one; gives the largest.
FOVEA_SIMD void narrow(const float* rows, const float* centre, std::int64_t d, float* nearest, std::int64_t first,
                       std::int64_t last, Farthest& most) {
  for (std::int64_t r = first; r < last; ++r) {
    const float* x = rows + r * d;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < d; ++i) sum += (x[i] - centre[i]) * (x[i] - centre[i]);
    if (sum < nearest[r]) nearest[r] = sum;
    if (nearest[r] > most.distance) most = {nearest[r], r};
  }
}

FOVEA_SIMD void add_products(float* out, const float* row, const float* weights, std::int64_t d, std::int64_t dims) {
  for (std::int64_t i = 0; i < d; ++i)
    for (std::int64_t k = 0; k < dims; ++k) out[k] += row[i] * weights[i * dims + k];
}

}  // namespace

std::vector<std::int64_t> k_center(const Tensor& rows, std::int64_t count, std::uint64_t seed,
                                   const std::function<bool(double)>& going) {
  check(rows.rank() == 2 && rows.dim(0) > 0 && rows.dtype() == DType::f32 && rows.is_dense(Layout::row_major),
        "k_center: expected rows of f32, got ", rows.shape());
  const std::int64_t n = rows.dim(0), d = rows.dim(1), blocks = (n + kBlock - 1) / kBlock;
  Random random(seed, kFirstStream);
  std::vector<std::int64_t> chosen{random.below(n)};
  std::vector<float> nearest(static_cast<std::size_t>(n), std::numeric_limits<float>::infinity());
  std::vector<Farthest> found(static_cast<std::size_t>(blocks));
  while (static_cast<std::int64_t>(chosen.size()) < std::min(count, n)) {
    if (!going(static_cast<double>(chosen.size()) / static_cast<double>(count))) return {};
    const float* centre = rows.data<float>() + chosen.back() * d;
    parallel_blocks(blocks, [&](std::int64_t b) {
      Farthest most;
      narrow(rows.data<float>(), centre, d, nearest.data(), b * kBlock, std::min(n, (b + 1) * kBlock), most);
      found[static_cast<std::size_t>(b)] = most;
    });
    // The first of the largest, whichever thread found it.
    const Farthest next = *std::max_element(found.begin(), found.end(),
                                            [](const Farthest& a, const Farthest& b) { return a.distance < b.distance; });
    if (next.distance <= 0) break;
    chosen.push_back(next.row);
  }
  return chosen;
}

Tensor random_projection(const Tensor& rows, std::int64_t dims, std::uint64_t seed) {
  const std::int64_t n = rows.dim(0), d = rows.dim(1);
  if (d <= dims) return rows;
  Random random(seed, kProjectStream);
  Tensor weights = Tensor::empty({d, dims});
  random.fill_normal(weights, 0, 1 / std::sqrt(static_cast<double>(dims)));
  Tensor out = Tensor::zeros({n, dims});
  parallel_blocks((n + kBlock - 1) / kBlock, [&](std::int64_t b) {
    for (std::int64_t r = b * kBlock; r < std::min(n, (b + 1) * kBlock); ++r)
      add_products(out.data<float>() + r * dims, rows.data<float>() + r * d, weights.data<float>(), d, dims);
  });
  return out;
}

}  // namespace fovea
