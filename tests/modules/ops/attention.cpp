// Attention: against the explicit form, over masks, shapes and strides; what a forbidden row gives; memory.
#include "modules/ops/attention.hpp"

#include <cmath>

#include "modules/core/memory.hpp"
#include "modules/core/random.hpp"
#include "modules/core/threads.hpp"
#include "modules/ops/additive_mask.hpp"
#include "modules/ops/dropout.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/reduce.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

Tensor random_bool(const Shape& shape, std::uint64_t seed, double share) {
  const auto values = random_tensor(shape, seed).values();
  Tensor t = Tensor::empty(shape, DType::boolean);
  for (std::int64_t i = 0; i < t.size(); ++i)
    t.data<bool>()[i] = i % shape[shape.rank() - 1] == 0 || values[static_cast<std::size_t>(i)] > share;
  return t;
}

struct Example {
  const char* what;
  std::int64_t n, h, rows, columns, d, dv;
  Tensor mask, bias;
  bool causal = false;
  double scale = 0, masked = -INFINITY;
  std::shared_ptr<const KeyPattern> pattern = nullptr;
  AttentionOptions options() const { return {scale, causal, masked, pattern}; }
};

// Head h sees `width` + h keys around a query of its own number, and no others.
struct Band final : KeyPattern {
  std::int64_t width;
  explicit Band(std::int64_t w) : width(w) {}
  bool touches(std::int64_t head, Range rows, Range columns) const override {
    return columns.first <= rows.last() + width + head && columns.last() >= rows.first - width - head;
  }
  void look(std::int64_t head, std::int64_t row, Range columns, bool* seen) const override {
    for (std::int64_t j = 0; j < columns.count; ++j) seen[j] = std::abs(row - columns.first - j) <= width + head;
  }
};

std::vector<Example> examples() {
  return {
      {"plain", 2, 3, 7, 11, 5, 6, {}, {}},
      {"one of all", 1, 1, 1, 1, 1, 1, {}, {}},
      {"several tiles", 1, 2, 199, 401, 16, 33, {}, {}},
      {"causal, several tiles", 1, 1, 210, 400, 8, 8, {}, {}, true},
      {"causal, more rows than columns", 2, 2, 9, 5, 8, 8, {}, {}, true, 0.3},
      {"boolean", 2, 2, 6, 10, 8, 8, random_bool({6, 10}, 1, 0.3), {}},
      {"boolean a sample", 2, 2, 6, 10, 8, 8, random_bool({2, 1, 1, 10}, 2, 0.3), {}, false, 0, -1e9},
      {"added", 2, 2, 6, 10, 8, 8, random_tensor({2, 1, 6, 10}, 3), {}},
      {"bias a head", 2, 3, 9, 9, 8, 8, {}, random_tensor({3, 9, 9}, 4)},
      {"bias and windows", 6, 2, 9, 9, 4, 4, random_tensor({3, 1, 9, 9}, 5), random_tensor({1, 2, 9, 9}, 6)},
      {"bias a column, causal", 2, 2, 9, 9, 4, 4, {}, random_tensor({2, 1, 1, 9}, 7), true},
      {"a band, tiles skipped", 1, 2, 500, 600, 4, 4, {}, {}, false, 0, -INFINITY, std::make_shared<Band>(20)},
      {"a band, bias", 2, 2, 120, 400, 4, 4, {}, random_tensor({2, 120, 400}, 9), false, 0, -INFINITY, std::make_shared<Band>(3)},
      {"a band, causal, a finite number", 2, 2, 9, 9, 4, 4, {}, {}, true, 0, -1e9, std::make_shared<Band>(2)},
      {"bias of all heads", 2, 2, 9, 200, 4, 4, random_bool({9, 200}, 8, 0), random_tensor({9, 200}, 7)},
  };
}

Tensors inputs(const Example& e) {
  return {random_tensor({e.n, e.h, e.rows, e.d}, 11), random_tensor({e.n, e.h, e.columns, e.d}, 12),
          random_tensor({e.n, e.h, e.columns, e.dv}, 13)};
}

// Masks and biases may repeat over samples: alone, a sample would take another part of them.
OpCheck check_of(const Example& e, std::size_t bias_at) {
  OpCheck check{.batch_mixing = e.mask.defined() || e.bias.defined(), .conditioning = 4};
  if (e.bias.defined()) check.parameters = {bias_at};
  return check;
}

}  // namespace

TEST_CASE("attention") {
  for (const Example& e : examples()) {
    INFO(e.what);
    Tensors in = inputs(e);
    if (e.bias.defined()) in.push_back(e.bias);
    OpCheck check = check_of(e, 3);
    if (!e.mask.defined() && !e.bias.defined())
      check.bad = {{{{1, 2, 3, 4}, {1, 2, 3, 5}, {1, 2, 3, 4}}, "expected q and k of one batch, heads and width"},
                   {{{1, 2, 3, 4}, {1, 2, 3, 4}, {1, 2, 2, 4}}, "expected v with the keys"},
                   {{{2, 3, 4}, {2, 3, 4}, {2, 3, 4}}, "expected q and k of N x heads x L x d"}};
    check_op(
        "attention",
        [&](const Vars& v) {
          return Vars{
              attention(v[0], v[1], v[2], e.mask.defined() ? Var(e.mask) : Var(), v.size() > 3 ? v[3] : Var(), e.options())};
        },
        in, check);
  }
}

TEST_CASE("attention_weights") {
  for (const Example& e : examples()) {
    if (e.rows * e.columns > 2000) continue;
    INFO(e.what);
    Tensors in = inputs(e);
    in.pop_back();
    if (e.bias.defined()) in.push_back(e.bias);
    check_op(
        "attention_weights",
        [&](const Vars& v) {
          return Vars{
              attention_weights(v[0], v[1], e.mask.defined() ? Var(e.mask) : Var(), v.size() > 2 ? v[2] : Var(), e.options())};
        },
        in, check_of(e, 2));
  }
}

TEST_CASE("attention: tiled and explicit agree, gradients too") {
  for (const Example& e : examples()) {
    INFO(e.what);
    const Precision precision(DType::f64);
    std::vector<std::vector<double>> values, grads;
    for (const bool tiled : {true, false}) {
      Vars v;
      for (const Tensor& t : inputs(e)) v.emplace_back(t, true);
      const Var mask = e.mask.defined() ? Var(e.mask) : Var();
      Var bias = e.bias.defined() ? Var(e.bias, true) : Var();
      const AttentionOptions o = e.options();
      const Var y =
          tiled ? attention(v[0], v[1], v[2], mask, bias, o) : matmul(attention_weights(v[0], v[1], mask, bias, o), v[2]);
      y.backward(random_tensor(y.shape(), 21));
      values.push_back(y.value().values());
      if (bias.defined()) v.push_back(bias);
      for (const Var& x : v) grads.push_back(x.grad().values());
    }
    REQUIRE(values[0].size() == values[1].size());
    for (std::size_t i = 0; i < values[0].size(); ++i) CHECK(std::abs(values[0][i] - values[1][i]) < 1e-12);
    for (std::size_t k = 0; k < grads.size() / 2; ++k)
      for (std::size_t i = 0; i < grads[k].size(); ++i) CHECK(std::abs(grads[k][i] - grads[k + grads.size() / 2][i]) < 1e-11);
  }
}

TEST_CASE("attention: what keys received is the mean of the weights over the queries") {
  const NoGrad no_grad;
  for (const Example& e : examples()) {
    INFO(e.what);
    for (const DType type : {DType::f64, DType::f32}) {
      const auto as = [&](const Tensor& t) { return t.defined() ? Var(t.dtype() == DType::boolean ? t : t.to(type)) : Var(); };
      Vars v;
      for (const Tensor& t : inputs(e)) v.push_back(as(t));
      const AttentionOptions o = e.options();
      const auto run = [&](int threads) {
        const ThreadScope thread_scope(threads);
        return attention_received(v[0], v[1], v[2], as(e.mask), as(e.bias), o);
      };
      const Attended both = run(1), shared = run(3);
      CHECK(max_difference(both.received.value(), shared.received.value()) == 0);
      CHECK(max_difference(both.values.value(), attention(v[0], v[1], v[2], as(e.mask), as(e.bias), o).value()) == 0);
      const Tensor expected = mean(attention_weights(v[0], v[1], as(e.mask), as(e.bias), o), {2}).value();
      REQUIRE(both.received.value().shape() == expected.shape());
      // A weight is off by the rounding of its score, at most some |q||k| < 100 units, and of a sum over the row: far below 1000
      // units of a weight, and the mean is at most 1.
      CHECK(max_difference(both.received.value(), expected) <= 1000 * (type == DType::f64 ? 0x1p-53 : 0x1p-24));
    }
  }
}

TEST_CASE("attention: what keys received has no gradient, and says so") {
  const Var q(random_tensor({1, 2, 5, 4}, 1), true), k(random_tensor({1, 2, 6, 4}, 2), true);
  const Attended both = attention_received(q, k, k);
  CHECK_THROWS_WITH(both.received.backward(Tensor::full({1, 2, 1, 6}, 1, DType::f64)),
                    Catch::Matchers::ContainsSubstring("has no gradient"));
  both.values.backward(random_tensor({1, 2, 5, 4}, 3));
  CHECK(q.grad().defined());
}

TEST_CASE("attention: a row of which all is forbidden") {
  Tensor mask = Tensor::full({3, 4}, 1, DType::boolean);
  for (int j = 0; j < 4; ++j) mask.data<bool>()[4 + j] = false;
  const Var q(random_tensor({1, 1, 3, 8}, 1).to(DType::f32), true), k(random_tensor({1, 1, 4, 8}, 2).to(DType::f32)),
      v(random_tensor({1, 1, 4, 2}, 3).to(DType::f32), true);
  const auto none = attention(q, k, v, Var(mask)).value().values();
  CHECK(std::isfinite(none[0]));
  CHECK(std::isnan(none[2]));
  CHECK(std::isfinite(none[4]));
  const Var y = attention(q, k, v, Var(mask), {}, {.masked = -1e9});
  const auto even = y.value().values(), values = v.value().values();
  CHECK(even[2] == Approx((values[0] + values[2] + values[4] + values[6]) / 4));
  y.backward(Tensor::from(std::vector<float>{0, 0, 1, 0, 0, 0}, {1, 1, 3, 2}));
  for (const double g : q.grad().values()) CHECK(g == 0);
  for (int j = 0; j < 4; ++j) CHECK(v.grad().values()[static_cast<std::size_t>(2 * j)] == Approx(0.25));
  const Var far(Tensor::full({3, 4}, -1e9));
  CHECK(attention(q, k, v, far).value().values()[2] == Approx(even[2]));
}

// The same draws for both forms: a tile drops what the dropout op drops of the explicit weights.
TEST_CASE("attention: dropout") {
  const auto draws = [] { return Random(3, 1); };
  const Example e{"dropout, several tiles",       2, 2, 130, 420, 5, 6, random_bool({130, 420}, 1, 0.3),
                  random_tensor({2, 130, 420}, 2)};
  const auto dropped = [&](const Vars& v) {
    Random random = draws();
    return Vars{attention(v[0], v[1], v[2], Var(e.mask), v[3], {}, {0.3, &random})};
  };
  const auto explicitly = [&](const Vars& v) {
    Random random = draws();
    return Vars{matmul(dropout(attention_weights(v[0], v[1], Var(e.mask), v[3]), 0.3, true, random), v[2])};
  };
  Tensors in = inputs(e);
  in.push_back(e.bias);
  check_op("attention", dropped, in, {.parameters = {3}, .batch_mixing = true, .conditioning = 4, .training = true});
  std::vector<Tensor> found;
  for (const OpFunction& f : {OpFunction(dropped), OpFunction(explicitly)}) {
    const Precision precision(DType::f64);
    Vars v;
    for (const Tensor& t : in) v.emplace_back(t, true);
    const Var y = f(v).front();
    y.backward(random_tensor(y.shape(), 21));
    found.push_back(y.value());
    for (const Var& x : v) found.push_back(x.grad());
  }
  for (std::size_t i = 0; i < 5; ++i) CHECK(max_difference(found[i], found[i + 5]) < 1e-11);
  Random one = draws(), other = draws();
  Vars v;
  for (const Tensor& t : in) v.emplace_back(t);
  attention(v[0], v[1], v[2], {}, {}, {}, {0.3, &one});
  dropout(attention_weights(v[0], v[1]), 0.3, true, other);
  CHECK(one.state() == other.state());
  CHECK_THROWS_WITH(attention(v[0], v[1], v[2], {}, {}, {}, {1, &one}), Catch::Matchers::ContainsSubstring("dropout in [0, 1)"));
}

TEST_CASE("attention: a pattern is the mask that it stands for") {
  const std::int64_t n = 400;
  const auto band = std::make_shared<Band>(30);
  Tensor mask = Tensor::empty({1, 2, n, n}, DType::boolean);
  for (std::int64_t h = 0; h < 2; ++h)
    for (std::int64_t i = 0; i < n; ++i) band->look(h, i, {0, n}, mask.data<bool>() + (h * n + i) * n);
  std::vector<Tensor> found;
  for (const bool pattern : {true, false}) {
    Vars in;
    for (std::uint64_t i = 0; i < 3; ++i) in.emplace_back(random_tensor({1, 2, n, 8}, i).to(DType::f32), true);
    AttentionOptions o;
    if (pattern) o.pattern = band;
    const Var y = attention(in[0], in[1], in[2], pattern ? Var() : Var(mask), {}, o);
    y.backward(random_tensor(y.shape(), 7).to(DType::f32));
    found.push_back(y.value());
    for (const Var& v : in) found.push_back(v.grad());
  }
  for (std::size_t i = 0; i < 4; ++i) CHECK(max_difference(found[i], found[i + 4]) < 1e-6);
}

TEST_CASE("attention: a mask that fits nothing is refused") {
  const Var q(Tensor::zeros({4, 2, 3, 8})), k(Tensor::zeros({4, 2, 5, 8}));
  CHECK_THROWS_WITH(attention(q, k, k, Var(Tensor::zeros({3, 4}))),
                    Catch::Matchers::ContainsSubstring("expected a mask that repeats to 4x2x3x5, got 3x4"));
  CHECK_THROWS_WITH(attention(q, k, k, {}, Var(Tensor::zeros({3, 1, 3, 5}))),
                    Catch::Matchers::ContainsSubstring("expected a bias"));
}

TEST_CASE("attention: 16384 tokens within 32 MB", "[slow]") {
  const Shape shape{1, 8, 16384, 64};
  Random random(3);
  Vars in;
  for (int i = 0; i < 3; ++i) {
    Tensor t = Tensor::empty(shape);
    random.fill_normal(t, 0, 1);
    in.emplace_back(t, true);
  }
  const Tensor seed = in[0].value().clone();
  const std::size_t one = in[0].value().bytes(), before = memory::stats().in_use;
  memory::reset_peak();
  const Var y = attention(in[0], in[1], in[2]);
  CHECK(memory::stats().peak - before < one + (std::size_t{32} << 20));
  y.backward(seed);
  CHECK(memory::stats().peak - before < 4 * one + (std::size_t{32} << 20));
  // Weights sum to 1, so that constant values come back; row 0 by hand.
  const auto q = in[0].value().data<float>(), k = in[1].value().data<float>(), v = in[2].value().data<float>();
  double total = 0, first = 0;
  for (int j = 0; j < 16384; ++j) {
    double s = 0;
    for (int i = 0; i < 64; ++i) s += static_cast<double>(q[i]) * static_cast<double>(k[j * 64 + i]);
    total += std::exp(s / 8), first += std::exp(s / 8) * static_cast<double>(v[j * 64]);
  }
  CHECK(y.value().data<float>()[0] == Approx(first / total).margin(1e-5));
}

TEST_CASE("additive_mask") {
  check_op("additive_mask", [](const Vars& v) { return Vars{additive_mask(v[0], 1, 2)}; }, {random_tensor({3, 4}, 1)});
  const Tensor mask = Tensor::from(std::vector<float>{0, 1}, {2}).to(DType::boolean);
  CHECK(additive_mask(Var(mask), -5, 2).value().values() == std::vector<double>{2, -5});
}
