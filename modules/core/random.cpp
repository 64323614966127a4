#include "modules/core/random.hpp"

#include <cmath>
#include <numbers>

namespace fovea {
namespace {

std::array<std::uint32_t, 4> philox(std::uint64_t counter, std::uint64_t stream, std::uint64_t seed) {
  std::array<std::uint32_t, 4> c{static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
                                 static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)};
  auto k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c[0], p1 = std::uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

template <class Draw>
void fill(Tensor& t, const Draw& draw) {
  if (!t.is_dense(Layout::row_major)) {  // the same numbers at the same logical positions, whatever the layout
    Tensor values = Tensor::empty(t.shape(), t.dtype());
    fill(values, draw);
    return t.copy_from(values);
  }
  dispatch_compute(t.dtype(), "random", [&](auto zero) {
    using T = decltype(zero);
    T* out = t.data<T>();
    for (std::int64_t i = 0, n = t.size(); i < n; ++i) out[i] = static_cast<T>(static_cast<compute_t<T>>(draw()));
  });
}

}  // namespace

std::uint32_t Random::next() {
  const std::uint64_t i = drawn_++;
  if (i / 4 != block_index_) {
    block_ = philox(i / 4, stream_, seed_);
    block_index_ = i / 4;
  }
  return block_[i % 4];
}

double Random::uniform() {
  const std::uint64_t high = next() >> 5, low = next() >> 6;
  return static_cast<double>((high << 26) | low) * 0x1p-53;
}

double Random::normal() {
  const double u = 1.0 - uniform(), v = uniform();
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

std::int64_t Random::below(std::int64_t n) {
  check(n > 0, "random: below(n) wants n > 0, got ", n);
  return static_cast<std::int64_t>(uniform() * static_cast<double>(n));
}

void Random::fill_uniform(Tensor& t, double low, double high) {
  fill(t, [&] { return low + (high - low) * uniform(); });
}

void Random::fill_normal(Tensor& t, double mean, double stddev) {
  fill(t, [&] { return mean + stddev * normal(); });
}

}  // namespace fovea
