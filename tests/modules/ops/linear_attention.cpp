// The ops behind attention of linear cost.
#include "modules/ops/binary.hpp"
#include "modules/ops/causal_product.hpp"
#include "modules/ops/l2_normalize.hpp"
#include "modules/ops/positive_features.hpp"
#include "modules/ops/reduce.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;
using V = std::vector<double>;

TEST_CASE("l2_normalize") {
  const Tensor map = random_tensor({3, 5, 6, 7}, 1);
  for (int axis : {0, 1, 2, -1})
    check_op("l2_normalize", [&](const Vars& v) { return Vars{l2_normalize(v[0], axis)}; }, {map},
             {.batch_mixing = axis == 0,
              .conditioning = 2,
              .unplanned = axis == 0 || axis == 2 ? "its rows do not lie side by side" : ""});
  check_op("l2_normalize", [](const Vars& v) { return Vars{l2_normalize(v[0], -1, 4.0)}; }, {random_tensor({4, 17}, 2)},
           {.conditioning = 2});
  Var x(Tensor::from(std::vector<double>{3, 4, 0, 0}, {2, 2}), true);
  const Var y = l2_normalize(x, 1);
  CHECK(y.value().values()[0] == Approx(0.6));
  CHECK(y.value().values()[3] == 0);  // a vector of zeros stays one, instead of becoming NaN
  y.backward(Tensor::from(std::vector<double>{1, 0, 1, 0}, {2, 2}));
  CHECK(x.grad().values()[0] == Approx(0.128));
  CHECK(x.grad().values()[1] == Approx(-0.096));
}

TEST_CASE("causal_product") {
  const Tensors in{random_tensor({2, 3, 9, 4}, 1), random_tensor({2, 3, 9, 4}, 2), random_tensor({2, 3, 9, 5}, 3)};
  const OpCheck options{.conditioning = 2,
                        .bad = {{{{1, 1, 4, 2}, {1, 1, 5, 2}, {1, 1, 5, 2}}, "expected queries and keys of one shape"},
                                {{{1, 1, 4, 2}, {1, 1, 4, 2}, {1, 1, 5, 2}}, "expected values"}}};
  for (bool reverse : {false, true})
    check_op(
        "causal_product", [&](const Vars& v) { return Vars{causal_product(v[0], v[1], v[2], reverse)}; }, in, options);
  const Var q(Tensor::from(std::vector<double>{1, 2, 3}, {1, 1, 3, 1})),
      k(Tensor::from(std::vector<double>{1, 1, 2}, {1, 1, 3, 1}));
  const Var v(Tensor::from(std::vector<double>{5, 7, 11}, {1, 1, 3, 1}));
  CHECK(causal_product(q, k, v).value().values() == V{5, 24, 102});
  CHECK(causal_product(q, k, v, true).value().values() == V{34, 58, 66});
}

// The maximum has no gradient of its own, so what is checked is what does not depend on it: features up to their common factor.
TEST_CASE("positive_features") {
  const Tensors in{random_tensor({2, 3, 5, 7}, 1), random_tensor({2, 3, 5, 1}, 2)};
  for (bool whole : {false, true})
    check_op("positive_features",
             [&](const Vars& v) {
               const Var y = positive_features(v[0], v[1], 0, whole);
               return Vars{y / sum(y, whole ? std::vector<int>{2, 3} : std::vector<int>{3})};
             },
             in,
             {.fixed = whole ? std::set<std::size_t>{} : std::set<std::size_t>{1},  // a row's own norm cancels
              .bf16 = false,
              .conditioning = 4,
              .bad = {{{{2, 5, 7}, {2, 5}}, "expected half squared norms 2x5x1"}, {{{7}, {1}}, "expected projections"}}});
  const Var u(Tensor::from(std::vector<double>{0, 1, 2, 5}, {2, 2})), h(Tensor::from(std::vector<double>{0, 3}, {2, 1}));
  const double r = std::sqrt(0.5);
  const auto rows = positive_features(u, h, 0.25).value().values(), all = positive_features(u, h, 0.25, true).value().values();
  CHECK(rows[1] == Approx(r * 1.25));
  CHECK(rows[2] == Approx(r * (std::exp(-6.0) + 0.25)));
  CHECK(all[1] == Approx(r * (std::exp(-4.0) + 0.25)));
  CHECK(all[3] == Approx(r * (std::exp(-3.0) + 0.25)));
}
