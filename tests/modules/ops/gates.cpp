#include "modules/ops/gate.hpp"

#include <cmath>

#include "modules/ops/binary.hpp"
#include "modules/ops/global_std.hpp"
#include "modules/ops/global_sums.hpp"
#include "modules/ops/max_mean.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;
using V = std::vector<double>;

TEST_CASE("gate: every pattern of spread axes") {
  for (const std::int64_t c : {1, 5, 48})
    for (const Shape& g : {Shape{2, c, 1, 1}, Shape{2, 1, 7, 6}, Shape{2, c, 7, 1}, Shape{2, c, 1, 6}, Shape{2, 1, 1, 6},
                           Shape{2, 1, 7, 1}, Shape{2, 1, 1, 1}}) {
      if (g.elements() >= 2 * c * 42) continue;  // no gate: nothing is spread
      INFO(c << " channels, gate " << g);
      check_op(
          "gate", [](const Vars& v) { return Vars{gate(v[0], v[1])}; }, {random_tensor({2, c, 7, 6}, 1), random_tensor(g, 2)},
          {.bad = {{{{2, c, 7, 6}, {2, c, 5, 1}}, "gate: expected a gate"}, {{{2, c, 7}, {2, c, 1}}, "gate: expected a gate"}}});
    }
}

TEST_CASE("gate: larger than one block, and chosen by the product") {
  const Tensor x = random_tensor({1, 24, 70, 33}, 3), g = random_tensor({1, 24, 1, 1}, 4);
  check_op("gate", [](const Vars& v) { return Vars{v[0] * v[1]}; }, {x, g});
  Trace graph = trace({{2, 4, 3, 3}, {2, 4, 1, 1}}, [](const Vars& v) { return Vars{v[1] * v[0]}; });
  REQUIRE(graph.nodes.size() == 1);
  CHECK(graph.nodes[0].op->name() == "gate");
  graph = trace({{2, 4, 3, 3}, {1, 4, 1, 1}}, [](const Vars& v) { return Vars{v[1] * v[0]}; });
  CHECK(graph.nodes[0].op->name() == "mul");  // one for all samples is no gate
  CHECK(gate(Var(Tensor::from(std::vector<float>{1, 2, 3, 4}, {1, 2, 1, 2})),
             Var(Tensor::from(std::vector<float>{10, 100}, {1, 2, 1, 1})))
            .value()
            .values() == V{10, 20, 300, 400});
}

TEST_CASE("max_mean: each axis, both orders") {
  for (const int axis : {1, 2, 3})
    for (const bool mean_first : {false, true})
      for (const std::int64_t c : {1, 6, 40}) {
        INFO("axis " << axis << ", " << c << " channels");
        check_op("max_mean", [&](const Vars& v) { return Vars{max_mean(v[0], axis, mean_first)}; },
                 {random_tensor({2, c, 9, 5}, 1)},
                 {.bad = {{{{2, c, 9}}, "max_mean: expected (N, C, H, W)"}, {{{2, 0, 0, 0}}, "at least one element"}}});
      }
  check_op("max_mean", [](const Vars& v) { return Vars{max_mean(v[0], 2)}; }, {random_tensor({1, 33, 4, 40}, 2)});
}

TEST_CASE("max_mean: the first of equal maxima takes the gradient, a NaN wins") {
  Var x(Tensor::from(std::vector<float>{1, 5, 5, 1}, {1, 4, 1, 1}), true);
  const Var y = max_mean(x, 1);
  CHECK(y.value().values() == V{5, 3});
  y.backward(Tensor::from(std::vector<float>{8, 4}, {1, 2, 1, 1}));
  CHECK(x.grad().values() == V{1, 9, 1, 1});
  CHECK(max_mean(x, 1, true).value().values() == V{3, 5});
  for (const int axis : {1, 2}) {
    const Shape shape = axis == 1 ? Shape{1, 3, 1, 1} : Shape{1, 1, 3, 1};
    CHECK(std::isnan(max_mean(Var(Tensor::from(std::vector<float>{1, NAN, 3}, shape)), axis).value().values()[0]));
    CHECK(max_mean(Var(Tensor::full(shape, -INFINITY)), axis).value().values()[0] == -INFINITY);
  }
}

TEST_CASE("global statistics") {
  for (const std::int64_t c : {1, 5, 64}) {
    const Tensors in{random_tensor({3, c, 11, 8}, 1, 0.3)};
    const std::vector<BadShapes> bad{{{{3, c}}, "expected (N, C, H, W)"}};
    check_op("global_std_pool", [](const Vars& v) { return Vars{global_std_pool(v[0])}; }, in, {.bad = bad});
    check_op("global_std_pool", [](const Vars& v) { return Vars{global_std_pool(v[0], 1e-3, false)}; }, in, {.bad = bad});
    check_op("global_sum_squares", [](const Vars& v) { return Vars{global_sum_squares(v[0])}; }, in, {.bad = bad});
    check_op("global_sum_abs", [](const Vars& v) { return Vars{global_sum_abs(v[0])}; }, in, {.bad = bad});
  }
  const Var x(Tensor::from(std::vector<double>{1, 2, 3, -6}, {1, 1, 2, 2}));
  CHECK(global_std_pool(x, 0).value().item() == Approx(std::sqrt(50.0 / 3)));
  CHECK(global_std_pool(x, 0, false).value().item() == Approx(std::sqrt(12.5)));
  CHECK(global_sum_squares(x).value().item() == 50);
  CHECK(global_sum_abs(x).value().item() == 12);
  CHECK(global_std_pool(Var(Tensor::full({1, 1, 1, 1}, 7)), 0.25).value().item() == Approx(0.5));
}
