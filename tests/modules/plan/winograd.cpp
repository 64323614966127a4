// Minimal filtering against the definition in double precision, within a bound computed from the transforms themselves.
#include "modules/plan/kernels/winograd.hpp"

#include <cmath>
#include <set>

#include "modules/core/random.hpp"
#include "modules/core/threads.hpp"
#include "modules/ops/unary.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;
using plan::Winograd;

namespace {

struct Case {
  std::int64_t samples, channels, height, width, outputs;
  std::array<std::int64_t, 2> begin, end;  // padding
};

dnn::Conv options(const Case& c) {
  dnn::Conv conv;
  conv.pad_begin = c.begin, conv.pad_end = c.end;
  return conv;
}

Shape result(const Case& c) {
  return {c.samples, c.outputs, c.height + c.begin[0] + c.end[0] - 2, c.width + c.begin[1] + c.end[1] - 2};
}

struct Data {
  Tensor x, w, bias, residual;
  explicit Data(const Case& c)
      : x(random_tensor({c.samples, c.channels, c.height, c.width}, 1).to(DType::f32).contiguous(Layout::channels_last)),
        w(random_tensor({c.outputs, c.channels, 3, 3}, 2).to(DType::f32)),
        bias(random_tensor({c.outputs}, 3).to(DType::f32)),
        residual(random_tensor(result(c), 4).to(DType::f32).contiguous(Layout::channels_last)) {}
};

Tensor run(const Winograd& made, const Case& c, Data& d, bool residual, bool in_place, std::optional<role::Pointwise> after) {
  const Tensor weights = made.transform(d.w);
  Tensor workspace = Tensor::empty({made.workspace(threads())});
  Tensor y = in_place ? d.residual.clone() : Tensor::empty(result(c), DType::f32, Layout::channels_last);
  const Tensor& from = in_place ? y : d.residual;
  made.run({.x = d.x.data<float>(),
            .weights = weights.data<float>(),
            .bias = d.bias.data<float>(),
            .residual = residual ? from.data<float>() : nullptr,
            .y = y.data<float>(),
            .workspace = workspace.data<float>(),
            .after = after});
  return y;
}

// The definition, with bias and perhaps residual.
Tensor definition(const Case& c, const Data& d, bool residual) {
  const Shape shape = result(c);
  Tensor y = Tensor::zeros(shape, DType::f64);
  double* to = y.data<double>();
  const Tensor xs = d.x.contiguous(Layout::row_major), rs = d.residual.contiguous(Layout::row_major);
  for (std::int64_t n = 0; n < c.samples; ++n)
    for (std::int64_t o = 0; o < c.outputs; ++o)
      for (std::int64_t i = 0; i < shape[2]; ++i)
        for (std::int64_t j = 0; j < shape[3]; ++j, ++to) {
          *to = static_cast<double>(d.bias.data<float>()[o]);
          if (residual) *to += static_cast<double>(rs.data<float>()[to - y.data<double>()]);
          for (std::int64_t k = 0; k < c.channels; ++k)
            for (std::int64_t a = 0; a < 9; ++a) {
              const std::int64_t row = i + a / 3 - c.begin[0], column = j + a % 3 - c.begin[1];
              if (row < 0 || row >= c.height || column < 0 || column >= c.width) continue;
              *to += static_cast<double>(d.w.data<float>()[(o * c.channels + k) * 9 + a]) *
                     static_cast<double>(xs.data<float>()[((n * c.channels + k) * c.height + row) * c.width + column]);
            }
        }
  return y;
}

// How much larger than the terms themselves the absolute terms become in the other basis: the largest row of
// |A'| (|G| 1) o (|B'| 1) in one dimension, for the points and their polynomials (Barabasz et al. 2020, arXiv:1803.10986).
double growth(int side) {
  const std::vector<double> points = side == 2 ? std::vector<double>{0, 1, -1} : std::vector<double>{0, 0.625, -0.625, 1.5, -1.5};
  const std::size_t n = points.size() + 1, m = n - 2;
  double worst = 0;
  for (std::size_t row = 0; row < m; ++row) {
    double sum = 0;
    for (std::size_t j = 0; j < n; ++j) {
      const bool infinite = j + 1 == n;
      std::vector<double> polynomial{1};  // the product of (x - other points): a row of B'
      double scale = 1, weights = 1;
      for (std::size_t k = 0; k < points.size(); ++k) {
        if (k == j) continue;
        std::vector<double> next(polynomial.size() + 1);
        for (std::size_t i = 0; i < polynomial.size(); ++i) next[i] -= polynomial[i] * points[k], next[i + 1] += polynomial[i];
        polynomial = next;
        if (!infinite) scale *= points[j] - points[k];
      }
      if (!infinite) weights = (1 + std::abs(points[j]) + points[j] * points[j]) / std::abs(scale);
      double window = 0;
      for (const double p : polynomial) window += std::abs(p);
      const double back = infinite ? (row + 1 == m ? 1 : 0) : std::pow(std::abs(points[j]), static_cast<double>(row));
      sum += back * weights * window;
    }
    worst = std::max(worst, sum);
  }
  return worst;
}

double largest(const Tensor& t) {
  double most = 0;
  for (const double v : t.to(DType::f64).values()) most = std::max(most, std::abs(v));
  return most;
}

const std::array<Winograd::Side, 3> kSides{{{2, 2}, {2, 4}, {4, 4}}};
const std::vector<Case> kCases{{1, 16, 8, 8, 16, {1, 1}, {1, 1}},  {2, 24, 9, 13, 24, {1, 1}, {1, 1}},
                               {1, 3, 7, 5, 7, {1, 1}, {1, 1}},    {3, 40, 14, 14, 33, {1, 1}, {1, 1}},
                               {1, 17, 3, 3, 50, {0, 0}, {0, 0}},  {1, 32, 40, 37, 32, {0, 1}, {1, 0}},
                               {1, 64, 30, 31, 12, {2, 2}, {2, 2}}};

}  // namespace

TEST_CASE("winograd: a convolution by its definition, for all tails of channels, outputs and tiles") {
  const role::Pointwise half{[](float* y, const float* x, std::int64_t n, float a, float) {
                               for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] * a;
                             },
                             0.5f,
                             0,
                             {}};
  for (const Case& c : kCases) {
    Data d(c);
    const std::array<Tensor, 2> expectations{definition(c, d, false), definition(c, d, true)};
    for (const Winograd::Side side : kSides) {
      const double grown = growth(side.rows) * growth(side.columns);
      // Sums of `channels` products, and some 24 roundings in the changes of basis: 6 sqrt(n) u of all absolute terms but once in
      // 10^7 (Higham & Mary 2019). Terms are as large as the largest weight times the largest value.
      const double terms = grown * static_cast<double>(c.channels) * largest(d.x) * largest(d.w);
      const double bound = 6 * std::sqrt(static_cast<double>(c.channels) + 24) / 16777216 * terms;
      const std::set<Winograd::Registers> possible{Winograd::Registers::few, Winograd::registers()};
      for (const auto registers : possible)
        for (const bool residual : {false, true}) {
          INFO(c.channels << " channels, " << c.height << "x" << c.width << ", " << c.outputs << " outputs, by " << side.rows
                          << "x" << side.columns);
          const Winograd made(options(c), d.x.shape(), result(c), side, registers);
          const Tensor &expected = expectations[residual], y = run(made, c, d, residual, false, {});
          CHECK(bound < 0.2 * largest(expected));  // it can fail
          CHECK(max_difference(y, expected) <= bound);
          CHECK(max_difference(run(made, c, d, residual, residual, {}), y) == 0);
          const Tensor halved = run(made, c, d, residual, residual, half);
          CHECK(max_difference(scale(Var(halved), 2).value(), y) == 0);
        }
    }
  }
}

TEST_CASE("winograd: the same bits on one thread and on several") {
  for (const Case& c : kCases)
    for (const Winograd::Side side : kSides) {
      Data d(c);
      const Winograd made(options(c), d.x.shape(), result(c), side);
      const auto with = [&](int threads) {
        const ThreadScope thread_scope(threads);
        return run(made, c, d, true, false, {});
      };
      const Tensor one = with(1);
      for (const int threads : {2, 3, 8}) CHECK(max_difference(with(threads), one) == 0);
    }
}

TEST_CASE("winograd: only for convolutions of 3x3 with stride 1") {
  dnn::Conv c;
  CHECK(Winograd::fits(c, {8, 8, 3, 3}));
  CHECK_FALSE(Winograd::fits(c, {8, 8, 3, 5}));
  c.stride = {2, 1};
  CHECK_FALSE(Winograd::fits(c, {8, 8, 3, 3}));
  c = {};
  c.dilation = {1, 2};
  CHECK_FALSE(Winograd::fits(c, {8, 8, 3, 3}));
  c = {};
  c.groups = 2;
  CHECK_FALSE(Winograd::fits(c, {8, 4, 3, 3}));
}
