#include "modules/ops/entmax.hpp"

#include <cmath>
#include <numeric>

#include "modules/ops/entmax15.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/sparsemax.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

Tensor row(const std::vector<double>& values) { return Tensor::from(values, {1, static_cast<std::int64_t>(values.size())}); }

std::vector<double> entmax_of(const std::vector<double>& x, double alpha) {
  return entmax(Var(row(x)), alpha, -1).value().values();
}

}  // namespace

TEST_CASE("sparsemax") {
  for (const int axis : {-1, 1, 2}) {
    INFO("axis " << axis);
    check_op("sparsemax", [&](const Vars& v) { return Vars{sparsemax(v[0], axis)}; }, {random_tensor({3, 4, 9}, 1)});
  }
  check_op("sparsemax", [](const Vars& v) { return Vars{sparsemax(v[0], 1)}; }, {random_tensor({2, 7, 3, 5}, 2)});
  CHECK(sparsemax(Var(row({0, 0, 0, 0})), -1).value().values() == std::vector<double>(4, 0.25));
  CHECK(sparsemax(Var(row({3, 1, -2})), -1).value().values() == std::vector<double>{1, 0, 0});
  const auto p = sparsemax(Var(row({0.5, 0.1, -3})), -1).value().values();  // support of two: tau = (0.6 - 1) / 2
  CHECK(p[0] == Approx(0.7));
  CHECK(p[1] == Approx(0.3));
  CHECK(p[2] == 0);
}

TEST_CASE("entmax15") {
  for (const int axis : {-1, 1, 2}) {
    INFO("axis " << axis);
    check_op("entmax15", [&](const Vars& v) { return Vars{entmax15(v[0], axis)}; }, {random_tensor({3, 4, 9}, 1)},
             {.conditioning = 4});
  }
  check_op("entmax15", [](const Vars& v) { return Vars{entmax15(v[0], 1)}; }, {random_tensor({2, 7, 3, 5}, 2)},
           {.conditioning = 4});
  const auto p = entmax15(Var(row({1, 0})), -1).value().values();  // sqrt(p0) - sqrt(p1) = 1/2, p0 + p1 = 1
  CHECK(std::sqrt(p[0]) - std::sqrt(p[1]) == Approx(0.5));
  CHECK(p[0] + p[1] == Approx(1));
  CHECK(entmax15(Var(row({9, 1, 0})), -1).value().values() == std::vector<double>{1, 0, 0});
}

TEST_CASE("entmax: alpha a number, a head's, a row's") {
  const OpCheck numbers{.conditioning = 8};
  for (const double alpha : {1.0, 1.2, 1.5, 1.9, 2.0, 2.5})
    for (const int axis : {-1, 1}) {
      INFO("alpha " << alpha << ", axis " << axis);
      check_op(
          "entmax", [&](const Vars& v) { return Vars{entmax(v[0], alpha, axis)}; }, {random_tensor({3, 4, 9}, 1)}, numbers);
    }
  Tensor head = random_tensor({1, 3, 1, 1}, 4), each = random_tensor({2, 3, 4, 1}, 5);
  for (Tensor* t : {&head, &each})
    for (std::int64_t i = 0; i < t->size(); ++i)
      t->data<double>()[i] = 1.1875 + 0.25 * static_cast<double>(i % 4);  // bf16 holds these
  OpCheck learned{.parameters = {1}, .conditioning = 32};
  learned.bad = {{{{2, 3, 4, 10}, {1, 4, 1, 1}}, "entmax: expected an alpha that broadcasts to 2x3x4x1"}};
  check_op(
      "entmax", [](const Vars& v) { return Vars{entmax(v[0], v[1], -1)}; }, {random_tensor({2, 3, 4, 10}, 6), head}, learned);
  check_op("entmax", [](const Vars& v) { return Vars{entmax(v[0], v[1], -1)}; }, {random_tensor({2, 3, 4, 10}, 7), each},
           {.conditioning = 32});
}

TEST_CASE("entmax: agrees with its special cases") {
  const std::vector<double> x = random_tensor({40}, 3).values();
  const Var v(row(x));
  const auto near = [](const Tensor& a, const std::vector<double>& b, double bound) {
    const auto values = a.values();
    for (std::size_t i = 0; i < b.size(); ++i) CHECK(std::abs(values[i] - b[i]) < bound);
  };
  near(sparsemax(v, -1).value(), entmax_of(x, 2), 1e-12);
  near(entmax15(v, -1).value(), entmax_of(x, 1.5), 1e-12);
  near(softmax(v, -1).value(), entmax_of(x, 1), 1e-12);
  near(softmax(v, -1).value(), entmax_of(x, 1 + 2e-6), 1e-4);  // the formula goes over into the limit
  for (const double alpha : {0.7, 1.05, 3.0, 6.0}) {
    const auto p = entmax_of(x, alpha);
    CHECK(std::accumulate(p.begin(), p.end(), 0.0) == Approx(1));
    // On the support (p_i^(alpha-1) - p_j^(alpha-1)) / (alpha-1) = x_i - x_j; off it p is 0.
    const auto top = static_cast<std::size_t>(std::max_element(x.begin(), x.end()) - x.begin());
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (p[i] == 0) continue;
      CHECK((std::pow(p[top], alpha - 1) - std::pow(p[i], alpha - 1)) / (alpha - 1) == Approx(x[top] - x[i]).margin(1e-6));
    }
  }
}

TEST_CASE("entmax: the gradient of alpha where it passes through 1") {
  const Tensor x = random_tensor({1, 9}, 8);
  const Tensor weights = random_tensor({1, 9}, 9);
  const auto loss = [&](double alpha) {
    double total = 0;
    const auto p = entmax_of(x.values(), alpha), w = weights.values();
    for (std::size_t i = 0; i < p.size(); ++i) total += w[i] * p[i];
    return total;
  };
  for (const double alpha : {1.0, 1 + 5e-6, 1 + 5e-5}) {
    const Var a(Tensor::full({1}, alpha, DType::f64), true);
    entmax(Var(x), a, -1).backward(weights);
    CHECK(a.grad().item() == Approx((loss(alpha + 2e-4) - loss(alpha - 2e-4)) / 4e-4).epsilon(1e-4));
  }
}

TEST_CASE("entmax family: masked values get exactly 0, rows without a distribution are NaN") {
  const double never = -std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& f : {std::function<Var(const Var&)>([](const Var& v) { return sparsemax(v, -1); }),
                        std::function<Var(const Var&)>([](const Var& v) { return entmax15(v, -1); }),
                        std::function<Var(const Var&)>([](const Var& v) { return entmax(v, 1.3, -1); }),
                        std::function<Var(const Var&)>([](const Var& v) { return entmax(v, 1.0, -1); })}) {
    const auto p = f(Var(row({0.25, never, 0.5}))).value().values();
    CHECK(p[0] + p[2] == Approx(1));
    CHECK(p[1] == 0);
    for (const double v : f(Var(row({never, never}))).value().values()) CHECK(std::isnan(v));
    for (const double v : f(Var(row({0, nan}))).value().values()) CHECK(std::isnan(v));
    CHECK(f(Var(row({-1e30, 1e30}))).value().values() == std::vector<double>{0, 1});
    CHECK(f(Var(row({7}))).value().values() == std::vector<double>{1});
  }
}
