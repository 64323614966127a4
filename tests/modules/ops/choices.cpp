#include <cmath>

#include "modules/ops/dropout.hpp"
#include "modules/ops/gather.hpp"
#include "modules/ops/take.hpp"
#include "modules/ops/where.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;
using V = std::vector<double>;

namespace {

Tensor mask_of(const Shape& shape, std::uint64_t seed) {
  Tensor t = Tensor::empty(shape, DType::boolean);
  Random random(seed);
  for (std::int64_t i = 0; i < t.size(); ++i) t.data<bool>()[i] = random.uniform() < 0.5;
  return t;
}

Tensor indices_of(const Shape& shape, std::int64_t below, std::uint64_t seed) {
  Tensor t = Tensor::empty(shape, DType::s64);
  Random random(seed);
  for (std::int64_t i = 0; i < t.size(); ++i) t.data<std::int64_t>()[i] = random.below(below);
  return t;
}

Tensor numbers(const std::vector<std::int64_t>& v, const Shape& shape) { return Tensor::from(v, shape); }

}  // namespace

TEST_CASE("where and masked_fill") {
  const Shape shape{2, 5, 4, 6};
  check_op("where", [](const Vars& v) { return Vars{where(v[0], v[1], v[2])}; },
           {mask_of(shape, 1), random_tensor(shape, 2), random_tensor(shape, 3)},
           {.bad = {{{{2, 3}, {2, 5, 4, 6}, {2, 5, 4, 6}}, "where: expected shapes that broadcast"}}});
  check_op("where", [](const Vars& v) { return Vars{where(v[0], v[1], v[2])}; },
           {mask_of({2, 1, 4, 6}, 1), random_tensor({2, 5, 1, 1}, 2), random_tensor(shape, 3)});
  check_op("where", [](const Vars& v) { return Vars{where(v[0], v[1], v[2])}; },
           {mask_of({3, 4, 6}, 1), random_tensor({6}, 2), random_tensor({4, 1}, 3)}, {.batch_mixing = true});
  check_op("masked_fill", [](const Vars& v) { return Vars{masked_fill(v[0], v[1], -7)}; },
           {random_tensor(shape, 2), mask_of({2, 1, 4, 6}, 1)},
           {.bad = {{{{2, 5}, {3, 2, 5}}, "masked_fill: expected a mask that broadcasts to 2x5"}}});
  CHECK_THROWS_AS(where(Var(Tensor::zeros({2})), Var(Tensor::zeros({2})), Var(Tensor::zeros({2}))), Error);
  // What is not chosen does not reach the gradient, not even as 0 * inf.
  Var x(Tensor::from(std::vector<float>{INFINITY, 2}, {2}), true);
  Tensor mask = Tensor::full({2}, 1, DType::boolean);
  mask.data<bool>()[1] = false;
  masked_fill(x, Var(mask), 0).backward(Tensor::full({2}, 3));
  CHECK(x.grad().values() == V{0, 3});
}

TEST_CASE("gather, index_select, embedding") {
  const Tensor x = random_tensor({3, 6, 5}, 1);
  check_op("gather", [](const Vars& v) { return Vars{gather(v[0], 1, v[1])}; }, {x, indices_of({3, 9, 4}, 6, 2)},
           {.bad = {{{{3, 6, 5}, {4, 9, 4}}, "gather: expected an index of at most"},
                    {{{3, 6}, {3}}, "gather: expected an index of rank 2"}}});
  check_op("gather", [](const Vars& v) { return Vars{gather(v[0], -1, v[1])}; }, {x, indices_of({3, 6, 2}, 5, 3)});
  for (const int axis : {1, 2, 3})
    check_op("index_select", [&](const Vars& v) { return Vars{index_select(v[0], axis, v[1])}; },
             {random_tensor({2, 6, 5, 7}, 4), indices_of({8}, 5, 5)},
             {.parameters = {1}, .bad = {{{{2, 6, 5, 7}, {2, 2}}, "index_select: expected an index of rank 1"}}});
  check_op("index_select", [](const Vars& v) { return Vars{index_select(v[0], 0, v[1])}; }, {x, indices_of({5}, 3, 6)},
           {.batch_mixing = true});
  check_op("embedding", [](const Vars& v) { return Vars{embedding(v[0], v[1])}; },
           {random_tensor({11, 70}, 7), indices_of({4, 9}, 11, 8)},
           {.parameters = {0}, .bf16 = false, .bad = {{{{11}, {4}}, "embedding: expected a table (V, D)"}}});

  Var table(Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {3, 2}), true);
  const Var y = embedding(table, Var(numbers({2, 0, 2}, {3})), 0);
  CHECK(y.value().values() == V{5, 6, 1, 2, 5, 6});
  y.backward(Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {3, 2}));
  CHECK(table.grad().values() == V{0, 0, 0, 0, 6, 8});
  CHECK(fails_with([&] { embedding(table, Var(numbers({3}, {1}))); }, "expected indices from 0 to 2, got 3"));
  CHECK(fails_with([&] { index_select(table, 0, Var(numbers({-1}, {1}))); }, "got -1"));
  CHECK(fails_with([&] { gather(table, 0, Var(numbers({3, 0}, {1, 2}))); }, "expected indices from 0 to 2, got 3"));
  CHECK(fails_with([&] { index_select(table, 0, Var(Tensor::zeros({1}))); }, "expected indices of s64"));
}

TEST_CASE("dropout") {
  auto drop = [](const Vars& v) {
    Random random(7);
    return Vars{dropout(v[0], 0.3, true, random)};
  };
  check_op("dropout", drop, {random_tensor({2, 7, 5, 6}, 1)}, {.batch_mixing = true, .training = true});
  check_op("dropout", drop, {random_tensor({3, 40}, 1)}, {.batch_mixing = true, .training = true});

  Random random(1);
  const Var ones(Tensor::full({100, 100}, 1));
  const auto y = dropout(ones, 0.25, true, random).value().values();
  double zeros = 0, sum = 0;
  for (const double v : y) zeros += v == 0, sum += v;
  CHECK(zeros / 1e4 == Approx(0.25).margin(0.02));
  CHECK(sum / 1e4 == Approx(1).margin(0.02));
  CHECK(random.state().drawn == 10000);
  CHECK(dropout(ones, 0.25, false, random).value().shares_storage(ones.value()));
  CHECK_THROWS_AS(dropout(ones, 1, true, random), Error);
}

TEST_CASE("drop_block drops squares, as many values as asked, and keeps the mean") {
  auto drop = [](const Vars& v) {
    Random random(7);
    return Vars{drop_block(v[0], 0.3, 3, true, random)};
  };
  check_op("drop_block", drop, {random_tensor({2, 5, 9, 8}, 1)}, {.batch_mixing = true, .training = true});
  check_op("drop_block", drop, {random_tensor({2, 40, 2, 2}, 1)},
           {.batch_mixing = true, .training = true});  // maps smaller than a block

  Random random(1);
  const Var ones(Tensor::full({4, 10, 64, 48}, 1));
  const Tensor y = drop_block(ones, 0.1, 5, true, random).value();
  const auto values = y.values();
  const auto dropped = [&](std::int64_t plane, std::int64_t row, std::int64_t column) {
    return row >= 0 && row < 64 && column >= 0 && column < 48 &&
           values[static_cast<std::size_t>((plane * 64 + row) * 48 + column)] == 0;
  };
  double zeros = 0, sum = 0;
  for (const double v : values) zeros += v == 0, sum += v;
  const double share = zeros / static_cast<double>(values.size());
  CHECK(share ==
        Approx(0.1).margin(0.01));  // 0.095 where squares overlap at random; 3 sigma of 490 squares in 122,880 values: 0.013
  CHECK(sum / static_cast<double>(values.size()) == Approx(1).margin(1e-5));
  // Whatever is dropped lies in a square of dropped values.
  int lonely = 0;
  for (std::int64_t plane = 0; plane < 40; ++plane)
    for (std::int64_t row = 0; row < 64; ++row)
      for (std::int64_t column = 0; column < 48; ++column) {
        if (!dropped(plane, row, column)) continue;
        bool found = false;
        for (std::int64_t top = row - 4; top <= row && !found; ++top)
          for (std::int64_t left = column - 4; left <= column && !found; ++left) {
            found = true;
            for (std::int64_t i = 0; i < 25 && found; ++i) found = dropped(plane, top + i / 5, left + i % 5);
          }
        lonely += !found;
      }
  CHECK(lonely == 0);
  CHECK(drop_block(ones, 0.1, 5, false, random).value().shares_storage(ones.value()));
  CHECK_THROWS_AS(drop_block(ones, 1, 5, true, random), Error);
  CHECK_THROWS_AS(drop_block(ones, 0.1, 0, true, random), Error);
  CHECK_THROWS_AS(drop_block(Var(Tensor::full({4, 4}, 1)), 0.1, 5, true, random), Error);
}
