// What single passes make of small graphs.
#include "modules/core/random.hpp"
#include "modules/ops/batch_norm.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/conv2d.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/unary.hpp"
#include "modules/plan/plan.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

using Ops = std::vector<std::string>;

Tensor uniform(const Shape& shape, std::uint64_t seed, double low = -1, double high = 1) {
  Tensor t = Tensor::empty(shape);
  Random random(seed);
  random.fill_uniform(t, low, high);
  return t;
}

Var fixed(const Shape& shape, std::uint64_t seed) {
  Var v(uniform(shape, seed));
  v.mark_parameter();
  return v;
}

std::vector<Ops> ops(const plan::Plan& plan) {
  std::vector<Ops> out;
  for (const auto& s : plan.steps()) out.push_back(s.ops);
  return out;
}

Var norm(const Var& x, std::uint64_t seed) {
  const Shape c{x.dim(1)};
  return batch_norm(x, fixed(c, seed), fixed(c, seed + 1), uniform(c, seed + 2), uniform(c, seed + 3, 0.5, 2));
}

// The same function on every value in f64.
Tensor exact(const std::function<Var(const Var&, DType)>& f, const Tensor& x) {
  NoGrad no_grad;
  return f(Var(x.to(DType::f64)), DType::f64).value();
}

}  // namespace

TEST_CASE("plan: a norm folds into a convolution that has a bias, transposed and grouped ones too") {
  struct Case {
    bool transposed;
    std::int64_t groups;
  };
  for (const Case c : {Case{false, 1}, Case{false, 2}, Case{true, 1}, Case{true, 2}}) {
    INFO("transposed " << c.transposed << " groups " << c.groups);
    const std::int64_t in = 8, out = 6;
    const Shape w = c.transposed ? Shape{in, out / c.groups, 3, 3} : Shape{out, in / c.groups, 3, 3};
    const Conv2dOptions o{.groups = c.groups, .transposed = c.transposed};
    const auto f = [&](const Var& x, DType type) {
      const auto as = [&](const Tensor& t) { return Var(t.to(type)); };
      const Var y = conv2d(x, as(uniform(w, 1)), as(uniform({out}, 2)), o);
      return batch_norm(y, as(uniform({out}, 3)), as(uniform({out}, 4)), uniform({out}, 5).to(type),
                        uniform({out}, 6, 0.5, 2).to(type));
    };
    const Tensor x = uniform({2, in, 7, 5}, 7).contiguous(Layout::channels_last);
    const auto plan = plan::compile([&](const Vars& v) { return Vars{f(v[0], DType::f32)}; }, {x.shape()});
    CHECK(ops(plan) == std::vector<Ops>{{"conv2d", "batch_norm"}});
    // Sums of at most 72 products of |x w| <= 1, times a scale of at most sqrt(2): each is off by (72 + 3) u at most, u = 2^-24.
    CHECK(max_difference(plan.run({x}).outputs[0], exact(f, x)) <= 72 * std::sqrt(2.0) * 75 / 16777216 * 1.5);
  }
}

TEST_CASE("plan: a transposed convolution is a plain one for all phases and a copy") {
  struct Case {
    std::int64_t rows, columns;
    std::array<std::int64_t, 2> stride, before, after;
    bool split;
  };
  for (const Case& c : {Case{4, 4, {2, 2}, {1, 1}, {1, 1}, true}, Case{3, 3, {2, 2}, {1, 1}, {0, 0}, true},
                        Case{2, 2, {2, 2}, {0, 0}, {0, 0}, true}, Case{5, 3, {3, 1}, {1, 1}, {1, 1}, true},
                        Case{3, 3, {2, 2}, {1, 1}, {1, 1}, false}, Case{3, 3, {1, 1}, {1, 1}, {1, 1}, false}}) {
    INFO(c.rows << "x" << c.columns << " stride " << c.stride[0] << "x" << c.stride[1]);
    const std::int64_t in = 20, out = 6;
    const Conv2dOptions o{.stride = c.stride, .pad_begin = c.before, .pad_end = c.after, .transposed = true};
    const auto f = [&](const Var& x, DType type) {
      const auto as = [&](const Tensor& t) { return Var(t.to(type)); };
      const Var y = conv2d(x, as(uniform({in, out, c.rows, c.columns}, 1)), as(uniform({out}, 2)), o);
      return relu(batch_norm(y, as(uniform({out}, 3)), as(uniform({out}, 4)), uniform({out}, 5).to(type),
                             uniform({out}, 6, 0.5, 2).to(type)));
    };
    const Tensor x = uniform({3, in, 7, 5}, 7).contiguous(Layout::channels_last);
    const auto plan = plan::compile([&](const Vars& v) { return Vars{f(v[0], DType::f32)}; }, {x.shape()});
    CHECK(plan.steps().size() == (c.split ? 2 : 1));
    // As above, with sums of at most 20 x 25 products.
    CHECK(max_difference(plan.run({x}).outputs[0], exact(f, x)) <= 500 * std::sqrt(2.0) * 503 / 16777216 * 1.5);
  }
}

TEST_CASE("plan: a norm stays where somebody else sees the convolution") {
  const auto f = [](const Vars& in) {
    const Var y = conv2d(in[0], fixed({4, 4, 1, 1}, 1), {}, {});
    return Vars{norm(y, 2), y};
  };
  CHECK(ops(plan::compile(f, {{1, 4, 5, 5}})) == std::vector<Ops>{{"conv2d"}, {"batch_norm"}});
}

TEST_CASE("plan: sum with the shortcut and activation go into the convolution, whichever side it stands on") {
  for (const bool left : {true, false}) {
    const auto f = [&](const Vars& in) {
      const Var y = norm(conv2d(in[0], fixed({4, 4, 3, 3}, 1), {}, {.pad_begin = {1, 1}, .pad_end = {1, 1}}), 2);
      return Vars{relu(left ? y + in[0] : in[0] + y)};
    };
    CHECK(ops(plan::compile(f, {{1, 4, 6, 6}})) == std::vector<Ops>{{"conv2d", "batch_norm", "add", "relu"}});
  }
}

TEST_CASE("plan: mean and maximum of one map are one step, a gate with shortcut and activation another") {
  const auto f = [](const Vars& in) {
    const Var x = in[0], mean = global_avg_pool(x), gate = sigmoid(mean + global_max_pool(x));
    return Vars{relu(x * gate + x)};
  };
  const auto plan = plan::compile(f, {{2, 8, 9, 9}});
  CHECK(ops(plan) == std::vector<Ops>{{"global_avg_pool", "global_max_pool"}, {"add", "sigmoid"}, {"gate", "add", "relu"}});
}

TEST_CASE("plan: a map made of a channel's value and a position's is never stored") {
  const auto f = [](const Vars& in) {
    const Var x = in[0], place = conv2d(x, fixed({1, 8, 1, 1}, 1), {}, {});
    return Vars{x + x * sigmoid(global_avg_pool(x) * place)};
  };
  const Tensor x = uniform({2, 8, 9, 7}, 3).contiguous(Layout::channels_last);
  const auto plan = plan::compile(f, {x.shape()});
  CHECK(ops(plan).back() == Ops{"mul", "sigmoid", "mul", "add"});
  NoGrad no_grad;
  // The convolution's sum of 8 products and the mean of 63 values may be taken in another order; what follows damps both.
  CHECK(max_difference(plan.run({x}).outputs[0], f({Var(x)})[0].value()) <= 2 * (8 + 63 + 4) * 8.0 / 16777216);
}

TEST_CASE("plan: what depends on parameters alone is computed once, and again when they change") {
  Var w = fixed({4, 4, 1, 1}, 1);
  const auto f = [&](const Vars& in) { return Vars{conv2d(in[0], tanh(w) * scale(w, 2), {}, {})}; };
  const auto plan = plan::compile(f, {{1, 4, 3, 3}});
  CHECK(ops(plan) == std::vector<Ops>{{"conv2d"}});
  const Tensor x = uniform({1, 4, 3, 3}, 2);
  const Tensor before = plan.run({x}).outputs[0];
  w.set_value(uniform({4, 4, 1, 1}, 9));
  NoGrad no_grad;
  CHECK(max_difference(plan.run({x}).outputs[0], before) > 1e-2);
  CHECK(max_difference(plan.run({x}).outputs[0], f({Var(x)})[0].value()) == 0);
}

TEST_CASE("plan: what nobody asks for is not computed") {
  const auto f = [](const Vars& in) {
    sigmoid(conv2d(in[0], fixed({4, 4, 1, 1}, 1), {}, {}));
    return Vars{relu(in[0])};
  };
  CHECK(ops(plan::compile(f, {{1, 4, 3, 3}})) == std::vector<Ops>{{"relu"}});
}

TEST_CASE("plan: outputs may be the input, a parameter or a view of either") {
  const Var w = fixed({1, 2, 2, 2}, 1);
  const auto f = [&](const Vars& in) { return Vars{in[0], w, reshape(relu(in[0]), {2, 3}), reshape(in[0], {6})}; };
  const Tensor x = uniform({1, 6, 1, 1}, 2);
  const auto out = plan::compile(f, {x.shape()}).run({x}).outputs;
  CHECK(out[0].values() == x.values());
  CHECK(out[1].values() == w.value().values());
  CHECK(out[3].values() == x.values());
  CHECK(out[2].shape() == Shape{2, 3});
}
