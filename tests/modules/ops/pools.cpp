#include <cmath>

#include "modules/ops/adaptive_pool.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/max_mean.hpp"
#include "modules/ops/pool2d.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;

TEST_CASE("global pools") {
  for (const std::int64_t c : {1, 5, 64}) {
    const Tensors in{random_tensor({3, c, 11, 8}, 1, 0.3)};
    check_op("global_avg_pool", [](const Vars& v) { return Vars{global_avg_pool(v[0])}; }, in,
             {.bad = {{{{3, c}}, "global_avg_pool: expected (N, C, H, W)"}}});
    check_op("global_max_pool", [](const Vars& v) { return Vars{global_max_pool(v[0])}; }, in,
             {.bad = {{{{3, c, 0, 4}}, "with at least one position"}}});
  }
  check_op("global_avg_pool", [](const Vars& v) { return Vars{global_avg_pool(v[0])}; }, {random_tensor({2, 3, 1, 1}, 2)});
}

TEST_CASE("avg_pool2d and max_pool2d") {
  for (const PoolOptions o : {PoolOptions{.kernel = 2}, PoolOptions{.kernel = 3, .stride = 2, .pad = 1},
                              PoolOptions{.kernel = 3, .stride = 1, .pad = 1, .count_include_pad = false},
                              PoolOptions{.kernel = 5, .stride = 3, .pad = 2}}) {
    for (const std::int64_t c : {1, 24}) {
      const Tensors in{random_tensor({2, c, 9, 12}, 1)};
      OpCheck check;
      check.bad = {{{{2, c, 9}}, "expected (N, C, H, W)"}, {{{2, c, 0, 12}}, "at least the kernel"}};
      check_op(
          "avg_pool2d", [&](const Vars& v) { return Vars{avg_pool2d(v[0], o)}; }, in, check);
      check_op(
          "max_pool2d", [&](const Vars& v) { return Vars{max_pool2d(v[0], o)}; }, in, check);
    }
  }
}

TEST_CASE("pools by hand") {
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 1, 3, 3});
  using V = std::vector<double>;
  CHECK(avg_pool2d(Var(x), {.kernel = 2, .stride = 1}).value().values() == V{3, 4, 6, 7});
  CHECK(avg_pool2d(Var(x), {.kernel = 2}).value().values() == V{3});
  const auto padded = avg_pool2d(Var(x), {.kernel = 3, .stride = 2, .pad = 1}).value().values();
  CHECK(padded[0] == Approx(12.0 / 9));
  CHECK(avg_pool2d(Var(x), {.kernel = 3, .stride = 2, .pad = 1, .count_include_pad = false}).value().values() == V{3, 4, 6, 7});
  CHECK(max_pool2d(Var(x), {.kernel = 3, .stride = 2, .pad = 1}).value().values() == V{5, 6, 8, 9});
  CHECK(avg_pool2d(Var(x), {.kernel = 2, .count_include_pad = false, .ceil = true}).value().values() == V{3, 4.5, 7.5, 9});
  CHECK(max_pool2d(Var(x), {.kernel = 2, .ceil = true}).value().values() == V{5, 6, 8, 9});
  CHECK_THROWS_AS(max_pool2d(Var(x), {.kernel = 2, .pad = 2}), Error);
}

TEST_CASE("max pools: the first of equal maxima takes the gradient, a NaN wins") {
  Var x(Tensor::from(std::vector<float>{1, 3, 3, 3, 0, 0, 0, 3, 2}, {1, 1, 3, 3}), true);
  max_pool2d(x, {.kernel = 2, .stride = 1}).backward(Tensor::full({1, 1, 2, 2}, 1));
  CHECK(x.grad().values() == std::vector<double>{0, 2, 0, 1, 0, 0, 0, 1, 0});
  x.zero_grad();
  global_max_pool(x).backward(Tensor::full({1, 1, 1, 1}, 5));
  CHECK(x.grad().values() == std::vector<double>{0, 5, 0, 0, 0, 0, 0, 0, 0});
  const Tensor nan = Tensor::from(std::vector<float>{1, NAN, 3, 4}, {1, 1, 2, 2});
  CHECK(std::isnan(max_pool2d(Var(nan), {.kernel = 2}).value().item()));
  CHECK(std::isnan(global_max_pool(Var(nan)).value().item()));
  const Tensor low = Tensor::full({1, 1, 2, 2}, -INFINITY);
  CHECK(max_pool2d(Var(low), {.kernel = 2}).value().item() == -INFINITY);
}

TEST_CASE("adaptive pooling: cells overlap where the grid does not divide the map, and may repeat a pixel") {
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 1, 3, 3});
  CHECK(adaptive_avg_pool2d(Var(x), 2, 2).value().values() == std::vector<double>{3, 4, 6, 7});
  CHECK(adaptive_avg_pool2d(Var(x), 1, 3).value().values() == std::vector<double>{4, 5, 6});
  CHECK(adaptive_avg_pool2d(Var(x), 1, 6).value().values() == std::vector<double>{4, 4, 5, 5, 6, 6});
  check_op("adaptive_avg_pool2d", [](const Vars& v) { return Vars{adaptive_avg_pool2d(v[0], 3, 2)}; },
           {random_tensor({2, 5, 7, 4}, 3)}, {});
}

TEST_CASE("max pools with ties: equal: what is equal shares the gradient, as amax of PyTorch does") {
  for (const std::int64_t c : {1, 5, 64}) {
    const Tensors in{random_tensor({3, c, 7, 8}, 1, 0.3)};
    check_op(
        "global_amax", [](const Vars& v) { return Vars{global_amax(v[0])}; }, in);
    for (const int axis : {1, 2, 3})
      check_op(
          "max_mean", [axis](const Vars& v) { return Vars{max_mean(v[0], axis, axis == 2, Ties::equal)}; }, in);
  }
  Var x(Tensor::from(std::vector<float>{1, 3, 3, 3, 0, 0, 0, 3, 2}, {1, 1, 3, 3}), true);
  global_amax(x).backward(Tensor::full({1, 1, 1, 1}, 8));
  CHECK(x.grad().values() == std::vector<double>{0, 2, 2, 2, 0, 0, 0, 2, 0});
  x.zero_grad();
  // Along rows: the maxima's gradient is 6, the means' 0.
  max_mean(x, 3, false, Ties::equal).backward(Tensor::from(std::vector<float>{6, 0, 6, 0, 6, 0}, {1, 1, 3, 2}));
  CHECK(x.grad().values() == std::vector<double>{0, 3, 3, 6, 0, 0, 0, 6, 0});
  // Over channels, in two columns of places.
  Var y(Tensor::from(std::vector<float>{2, 1, 2, 5, 0, 5}, {1, 3, 1, 2}), true);
  max_mean(y, 1, true, Ties::equal).backward(Tensor::from(std::vector<float>{0, 0, 4, 6}, {1, 2, 1, 2}));
  CHECK(y.grad().values() == std::vector<double>{2, 0, 2, 3, 0, 3});
}
