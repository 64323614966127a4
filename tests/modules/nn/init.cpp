// Initial values follow PyTorch's rules: bounds, spread and fans; the seed decides every one.
#include "modules/nn/init.hpp"

#include <cmath>

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using fovea::test::fails_with;

namespace {

struct Moments {
  double low = INFINITY, high = -INFINITY, mean = 0, stddev = 0;
};

Moments moments(const Init& init, const Shape& shape, std::uint64_t seed = 1) {
  Tensor t = Tensor::empty(shape);
  Random random(seed);
  init(t, random);
  Moments m;
  double squares = 0;
  const auto values = t.values();
  for (const double v : values) m.low = std::min(m.low, v), m.high = std::max(m.high, v), m.mean += v, squares += v * v;
  m.mean /= static_cast<double>(values.size());
  m.stddev = std::sqrt(squares / static_cast<double>(values.size()) - m.mean * m.mean);
  return m;
}

// 65536 values: the mean errs by stddev / 256, the standard deviation by about 1 / 360 of itself; five times that is allowed.
void check_uniform(const Init& init, const Shape& shape, double bound) {
  const Moments m = moments(init, shape);
  CHECK(m.low >= -bound * (1 + 1e-6));
  CHECK(m.high <= bound * (1 + 1e-6));
  CHECK(m.low < -0.99 * bound);
  CHECK(m.high > 0.99 * bound);
  CHECK(std::abs(m.mean) < 5 * bound / std::sqrt(3.0) / 256);
  CHECK(m.stddev == Approx(bound / std::sqrt(3.0)).epsilon(0.015));
}

void check_normal(const Init& init, const Shape& shape, double stddev) {
  const Moments m = moments(init, shape);
  CHECK(std::abs(m.mean) < 5 * stddev / 256);
  CHECK(m.stddev == Approx(stddev).epsilon(0.015));
  CHECK(m.high > 3 * stddev);  // tails: no uniform
}

const Shape kWeight{64, 16, 8, 8};  // 65536 values; fan in 1024, fan out 4096

}  // namespace

TEST_CASE("init: constants fill, and uniform and normal keep their bounds and moments") {
  const Moments c = moments(init::constant(0.25), {7, 3});
  CHECK((c.low == 0.25 && c.high == 0.25));
  CHECK(moments(init::zeros(), {5}).high == 0);
  CHECK(moments(init::ones(), {5}).low == 1);
  check_uniform(init::uniform(-0.5, 0.5), kWeight, 0.5);
  check_normal(init::normal(0, 2), kWeight, 2);
  CHECK(moments(init::normal(3, 1), kWeight).mean == Approx(3).margin(0.02));
}

TEST_CASE("init: fans are read from dimensions 1 and 0 times the kernel, as in torch.nn.init") {
  check_uniform(init::fan_in_uniform(1024), kWeight, 1.0 / 32);  // Conv2d's and Linear's default: kaiming_uniform_(a=sqrt(5))
  check_uniform(init::kaiming_uniform(std::sqrt(5.0)), kWeight, 1.0 / 32);
  check_uniform(init::kaiming_uniform(), kWeight, std::sqrt(6.0 / 1024));
  check_uniform(init::kaiming_uniform(0.2, init::Fan::out), kWeight, std::sqrt(6.0 / (1 + 0.04) / 4096));
  check_normal(init::kaiming_normal(), kWeight, std::sqrt(2.0 / 1024));
  check_normal(init::kaiming_normal(0, init::Fan::out), kWeight, std::sqrt(2.0 / 4096));
  check_uniform(init::xavier_uniform(), kWeight, std::sqrt(6.0 / (1024 + 4096)));
  check_normal(init::xavier_normal(5.0 / 3), kWeight, 5.0 / 3 * std::sqrt(2.0 / (1024 + 4096)));
  check_normal(init::kaiming_normal(), {512, 128}, std::sqrt(2.0 / 128));
}

TEST_CASE("init: fans need a matrix, and no inputs give zeros instead of infinity") {
  Tensor vector = Tensor::empty({3});
  Random random(1);
  CHECK(fails_with([&] { init::kaiming_normal()(vector, random); }, "rank 2"));
  CHECK(fails_with([&] { init::xavier_uniform()(vector, random); }, "rank 2"));
  CHECK(moments(init::fan_in_uniform(0), {4}).high == 0);
}

TEST_CASE("init: the truncated normal is cut at two in absolute units") {
  const Moments narrow = moments(init::truncated_normal(0.02), kWeight);
  CHECK(narrow.stddev == Approx(0.02).epsilon(0.015));
  // A unit normal cut at two deviations has variance 1 - 2 x 2 phi(2) / (2 Phi(2) - 1) = 0.7737.
  const Moments wide = moments(init::truncated_normal(1), kWeight);
  CHECK((wide.low >= -2 && wide.high <= 2));
  CHECK(wide.stddev * wide.stddev == Approx(0.7737).epsilon(0.03));
}

TEST_CASE("init: the seed decides every value") {
  const auto draw = [](std::uint64_t seed) {
    Tensor t = Tensor::empty({4, 4});
    Random random(seed);
    init::kaiming_normal()(t, random);
    return t.values();
  };
  CHECK(draw(5) == draw(5));
  CHECK(draw(5) != draw(6));
}
