#include "tests/support/tensors.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"

namespace fovea::test {

Tensor random_tensor(const Shape& shape, std::uint64_t seed, double mean, double stddev) {
  Tensor t = Tensor::empty(shape, DType::f64);
  Random(seed).fill_normal(t, mean, stddev);
  t = t.to(DType::bf16).to(DType::f64);
  return shape.rank() == 4 ? t.contiguous(Layout::channels_last) : t;
}

double max_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const auto x = a.values(), y = b.values();
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] == y[i]) continue;  // infinities, too
    const double difference = std::abs(x[i] - y[i]);
    if (std::isnan(difference)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, difference);
  }
  return worst;
}

double largest_of(const Tensor& t) {
  double largest = 0;
  for (const double v : t.values())
    if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  return largest;
}

}  // namespace fovea::test
