// Fused elementwise operations, which run partly in registers and partly on tiles in cache. Which of the two runs, and where a tile or a
// vector ends, must not change the result.
#include <cmath>
#include <limits>

#include "modules/ops/binary.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/max_mean.hpp"
#include "modules/ops/unary.hpp"
#include "modules/plan/plan.hpp"
#include "tests/support/bf16.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

struct In {
  Var x, r, channel, place, row,
      column;  // two maps; a gate for each channel, for each position, channel and row, channel and column
};
struct Case {
  std::string name;
  std::function<Var(const In&)> f;
};

Tensor values(const Shape& shape, std::uint64_t seed) {
  return random_tensor(shape, seed).to(DType::f32).contiguous(Layout::channels_last);
}

Tensors inputs(const Shape& s) {
  return {values(s, 1),
          values(s, 2),
          values({s[0], s[1], 1, 1}, 3),
          values({s[0], 1, s[2], s[3]}, 4),
          values({s[0], s[1], s[2], 1}, 5),
          values({s[0], s[1], 1, s[3]}, 6)};
}

// NaN, infinities and zeros of both signs meet one another and plain values.
void scatter_extremes(Tensors& all) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::array<float, 5> extremes{std::numeric_limits<float>::quiet_NaN(), infinity, -infinity, 0.0f, -0.0f};
  for (std::size_t t = 0; t < all.size(); ++t)
    for (std::int64_t i = 0; i < all[t].shape().elements(); ++i) {
      const auto kind = static_cast<std::size_t>(i + 3 * static_cast<std::int64_t>(t)) % (7 + 2 * t);
      if (kind < extremes.size()) all[t].data<float>()[i] = extremes[kind];
    }
}

Var call(const Case& c, const Vars& v) { return c.f({v[0], v[1], v[2], v[3], v[4], v[5]}); }

plan::Plan compiled(const Case& c, const Tensors& in, int threads) {
  Shapes shapes;
  for (const Tensor& t : in) shapes.push_back(t.shape());
  return plan::compile([&](const Vars& v) { return Vars{call(c, v)}; }, shapes, {.threads = threads});
}

Tensor eager(const Case& c, const Tensors& in) {
  NoGrad no_grad;
  Vars v;
  for (const Tensor& t : in) v.push_back(Var(t));
  return call(c, v).value();
}

// Bit for bit, but for what a NaN holds.
bool same(const Tensor& a, const Tensor& b) {
  const auto x = a.values(), y = b.values();
  bool same = x.size() == y.size();
  for (std::size_t i = 0; i < x.size() && same; ++i)
    same = x[i] != x[i] ? y[i] != y[i] : x[i] == y[i] && std::signbit(x[i]) == std::signbit(y[i]);
  return same;
}

const std::vector<std::int64_t> kWidths{1, 3, 8, 16, 17, 31, 33, 64, 130, 300};

// No product in them goes into a sum at once, so that nothing is rounded another way.
const std::vector<Case> kExact{
    {"channels", [](const In& i) { return relu(i.x * i.channel + i.r); }},
    {"channels and positions", [](const In& i) { return relu6(i.x * i.channel * i.place + i.r); }},
    {"rows and columns", [](const In& i) { return leaky_relu(i.x * i.row * i.column + i.r, 0.1); }},
    {"maps", [](const In& i) { return clamp(i.x * i.r + i.x, -0.5, -0.0); }},
    {"sums", [](const In& i) { return scale(relu(i.x + i.channel + i.row) + i.place, 0.5, 0.25); }},
    {"another function first", [](const In& i) { return relu(sigmoid(i.x) * i.channel + i.r); }},
    {"another function between", [](const In& i) { return relu(tanh(i.x * i.channel + i.r) * i.place + i.r); }},
    {"another function last", [](const In& i) { return hard_swish(i.x * i.channel + i.r); }},
    {"quotient", [](const In& i) { return relu((i.x + i.channel) / i.r + i.x) - i.place; }},
    {"two chains", [](const In& i) { return relu(relu(i.x * i.channel) + relu6(i.r * i.place)) * i.column; }},
    {"product of two chains", [](const In& i) { return relu(i.x + i.channel) * relu(i.r + i.place) + i.x; }},
    {"another function on the stack", [](const In& i) { return relu(relu(i.x * i.channel) + sigmoid(i.r * i.place) + i.x); }},
    {"maximum of two chains", [](const In& i) { return relu(maximum(i.x * i.channel, i.r * i.place) + i.r); }},
    {"broadcast", [](const In& i) { return i.x * scale(sigmoid(i.channel * i.place), 1, 1) + i.r; }},
    {"broadcast alone", [](const In& i) { return relu(i.channel * i.place); }},
    {"seven and thirty",
     [](const In& i) {
       Var y = i.x;
       for (int k = 0; k < 37; ++k) y = k % 3 ? relu(y + i.channel) : y * i.place;
       return y;
     }},
};

}  // namespace

TEST_CASE("plan elementwise: the same bits as op by op at all widths, on one thread and two") {
  for (const std::int64_t width : kWidths)
    for (const bool extremes : {false, true})
      for (const Shape& shape : {Shape{2, width, 6, 7}, Shape{1, width, 1, 5}}) {
        Tensors in = inputs(shape);
        if (extremes) scatter_extremes(in);
        for (const Case& c : kExact) {
          INFO(c.name << ", " << shape << (extremes ? " with extremes" : ""));
          const plan::Plan plan = compiled(c, in, 1);
          CHECK((width == 1 || plan.steps().size() == 1));
          const Tensor got = plan.run(in).outputs[0];
          CHECK(same(got, eager(c, in)));
          CHECK(same(got, compiled(c, in, 2).run(in).outputs[0]));
        }
      }
}

TEST_CASE("plan elementwise: rows longer than a tile") {
  const Tensors in = inputs({1, 5003, 2, 3});
  for (const Case& c : kExact) {
    INFO(c.name);
    CHECK(same(compiled(c, in, 2).run(in).outputs[0], eager(c, in)));
  }
}

TEST_CASE("plan elementwise: sums of products are off by a rounding of each product") {
  const std::vector<Case> sums{
      {"channels and positions", [](const In& i) { return relu(i.x * i.channel + i.x * i.place + i.r); }},
      {"three gates", [](const In& i) { return scale(i.x * i.row + i.x * i.column + i.x * i.place, 0.25) + i.r; }},
      {"between", [](const In& i) { return sigmoid(tanh(i.x) * i.row + i.r * i.channel) + i.x * i.place; }},
      {"statistics", [](const In& i) { return max_mean(relu(i.x * i.channel + i.r * i.place), 1); }},
      {"in place",
       [](const In& i) {
         const Var t = tanh(i.x);
         return relu(t * sigmoid(global_avg_pool(t)) + t * i.channel + i.r);
       }},
  };
  for (const std::int64_t width : kWidths)
    for (const Case& c : sums) {
      INFO(c.name << ", " << width << " wide");
      const Tensors in = inputs({2, width, 6, 7});
      const Tensor got = compiled(c, in, 1).run(in).outputs[0];
      CHECK(same(got, compiled(c, in, 2).run(in).outputs[0]));
      // Products are below 5 * 5, sums below 80; there are no more than eight roundings of each, and a mean's of 300 below 25.
      CHECK(max_difference(got, eager(c, in)) <= (8 * 80 + 301 * 25.0) / 16777216);
    }
}

TEST_CASE("plan elementwise: a value is written over, though it is read several times, where that is safe") {
  // The map is there before the chain, which alone reads it last.
  const auto after_reduction = [](const Case& c) {
    return Case{c.name, [f = c.f](const In& i) {
                  const Var t = tanh(i.x);
                  return f({t, i.r, i.channel + global_max_pool(t), i.place, i.row, i.column});
                }};
  };
  std::vector<Case> all = kExact;
  all.push_back({"again after another function", [](const In& i) { return tanh(i.x * i.channel) + i.x; }});
  all.push_back(
      {"again with another function on the stack", [](const In& i) { return relu(i.x * i.channel) + sigmoid(i.x * i.place); }});
  for (const std::int64_t width : kWidths)
    for (const Case& plain : all) {
      const Case c = after_reduction(plain);
      INFO(c.name << ", " << width << " wide");
      const Tensors in = inputs({2, width, 6, 7});
      CHECK(same(compiled(c, in, 2).run(in).outputs[0], eager(c, in)));
    }
  const Tensors in = inputs({1, 64, 40, 40});
  const Case twice = after_reduction({"", [](const In& i) { return relu(i.x * i.channel + i.r + i.x); }});
  CHECK(compiled(twice, in, 1).memory().arena < 1.5 * static_cast<double>(in[0].bytes()));
}

TEST_CASE("plan elementwise: in bf16 those of f32 on values that bf16 holds, written rounded") {
  if (!has_bf16()) return;
  const std::vector<std::function<Var(const Var&, const Var&, const Var&)>> chains{
      [](const Var& a, const Var& b, const Var& g) { return relu(a * g + b); },
      [](const Var& a, const Var& b, const Var& g) { return relu(a * g + b * g + a); },
      [](const Var& a, const Var& b, const Var& g) { return tanh(a) * b + relu(b * g); },
      [](const Var& a, const Var& b, const Var& g) { return maximum(a * g, tanh(b)) - a; },
      [](const Var& a, const Var& b, const Var& g) { return relu(a * b) + sigmoid(b * g); },
  };
  for (const std::int64_t width : {5, 16, 17, 130, 300})
    for (std::size_t i = 0; i < chains.size(); ++i) {
      INFO("chain " << i << ", " << width << " wide");
      const Tensor x = values({2, width, 6, 7}, 1).to(DType::bf16).to(DType::f32);
      // Stored maps, of which the chain's is bf16, too, where the pool alone reads it.
      const auto outputs = [&](DType type, bool all) {
        const auto forward = [&](const Vars& in) {
          const Var a = relu(in[0]), b = clamp(in[0], -1, 0.5), y = chains[i](a, b, sigmoid(global_max_pool(in[0])));
          return all ? Vars{a, b, y, global_max_pool(y)} : Vars{a, b, global_max_pool(y)};
        };
        return plan::compile(forward, {x.shape()}, {.precision = type}).run({x}).outputs;
      };
      for (const bool all : {false, true}) {
        const Tensors got = outputs(DType::bf16, all), want = outputs(DType::f32, all);
        CHECK(same(got[0], want[0]));
        CHECK(same(got[1], want[1]));
        for (std::size_t k = 2; k < got.size(); ++k) CHECK(same(got[k].to(DType::bf16), want[k].to(DType::bf16)));
      }
    }
}
