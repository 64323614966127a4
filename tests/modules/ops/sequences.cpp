// Running sums, recurrences and choices: what attention along sequences is made of.
#include "modules/ops/binary.hpp"
#include "modules/ops/choose.hpp"
#include "modules/ops/cumsum.hpp"
#include "modules/ops/linear_scan.hpp"
#include "modules/ops/softmax.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;
using V = std::vector<double>;

namespace {

Var row(const V& values) { return Tensor::from(values, {1, static_cast<std::int64_t>(values.size())}); }

}  // namespace

TEST_CASE("cumsum and moving_sum") {
  const Tensor map = random_tensor({3, 5, 6, 7}, 1);
  for (const int axis : {1, 2, 3, -1})
    for (const CumsumOptions o : {CumsumOptions{}, {true, false}, {false, true}, {true, true}})
      check_op("cumsum", [&](const Vars& v) { return Vars{cumsum(v[0], axis, o)}; }, {map});
  check_op("cumsum", [](const Vars& v) { return Vars{cumsum(v[0], 0)}; }, {random_tensor({9, 4}, 2)}, {.batch_mixing = true});
  for (const int axis : {1, 3}) check_op("moving_sum", [&](const Vars& v) { return Vars{moving_sum(v[0], axis, 2, 1)}; }, {map});
  check_op("moving_sum", [](const Vars& v) { return Vars{moving_sum(v[0], -1, 0, 40)}; }, {random_tensor({4, 9}, 3)});

  const Var x = row({1, 2, 4, 8});
  CHECK(cumsum(x, 1).value().values() == V{1, 3, 7, 15});
  CHECK(cumsum(x, 1, {.exclusive = true}).value().values() == V{0, 1, 3, 7});
  CHECK(cumsum(x, 1, {.reverse = true}).value().values() == V{15, 14, 12, 8});
  CHECK(cumsum(x, 1, {.exclusive = true, .reverse = true}).value().values() == V{14, 12, 8, 0});
  CHECK(moving_sum(x, 1, 1, 0).value().values() == V{1, 3, 6, 12});
  CHECK(moving_sum(x, 1, 0, 2).value().values() == V{7, 14, 12, 8});
  CHECK(fails_with([&] { moving_sum(x, 1, -1, 0); }, "expected a window"));
  CHECK(cumsum(Var(Tensor::zeros({2, 0})), 1).shape() == Shape{2, 0});
}

TEST_CASE("linear_scan") {
  check_op("linear_scan", [](const Vars& v) { return Vars{linear_scan(v[0], v[1])}; },
           {random_tensor({3, 4, 9}, 1, 0, 0.7), random_tensor({3, 4, 9}, 2)},
           {.bf16 = false,  // products of many rounded factors
            .conditioning = 8,
            .bad = {{{{3, 4}, {3, 5}}, "expected factors and summands of one shape"}}});
  CHECK(linear_scan(row({9, 2, 3, 0}), row({1, 1, 1, 5})).value().values() == V{1, 3, 10, 5});
  // A running product and its gradient where a factor is 0.
  Var a(Tensor::from(V{7, 2, 0, 3}, {1, 4}), true);
  linear_scan(a, row({1, 0, 0, 0})).backward(Tensor::from(V{0, 0, 0, 1}, {1, 4}));
  CHECK(a.grad().values() == V{0, 0, 6, 0});
}

TEST_CASE("at_least, one_hot_max and one_hot_sample choose, and nothing flows back") {
  check_op("at_least", [](const Vars& v) { return Vars{at_least(v[0], 0.25)}; }, {random_tensor({3, 4, 5, 6}, 1)});
  check_op("one_hot_max", [](const Vars& v) { return Vars{one_hot_max(v[0])}; }, {random_tensor({3, 4, 7}, 2)});
  check_op("one_hot_sample", [](const Vars& v) { return Vars{one_hot_sample(softmax(v[0], -1), v[1])}; },
           {random_tensor({5, 6}, 3), random_tensor({5}, 4, 0.5, 0.2)},
           {.fixed = {1}, .bf16 = false, .bad = {{{{5, 6}, {6}}, "expected a number for each row"}}});

  CHECK(at_least(row({0.4, 0.5, 0.6}), 0.5).value().values() == V{0, 1, 1});
  CHECK(one_hot_max(row({1, 3, 3, 2})).value().values() == V{0, 1, 0, 0});
  CHECK(one_hot_max(row({NAN, 1, 2})).value().values() == V{0, 0, 1});
  const auto drawn = [](double u) {
    return one_hot_sample(row({0.25, 0.5, 0.25}), Var(Tensor::from(V{u}, {1}))).value().values();
  };
  CHECK(drawn(0) == V{1, 0, 0});
  CHECK(drawn(0.26) == V{0, 1, 0});
  CHECK(drawn(0.75) == V{0, 1, 0});
  CHECK(drawn(0.99) == V{0, 0, 1});
  CHECK(drawn(1.5) == V{0, 0, 1});  // rounding may leave the sum below the number
  CHECK(fails_with([] { one_hot_max(Var(Tensor::zeros({2, 0}))); }, "something to choose from"));
}
