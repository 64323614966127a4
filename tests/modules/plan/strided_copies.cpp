// Ops that rearrange elements: views, strided copies and parts of a result, against the same ops run one by one.
#include "modules/core/random.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/conv2d.hpp"
#include "modules/ops/expand.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/pixel_shuffle.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"
#include "modules/plan/plan.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

using Function = std::function<Vars(const Var&)>;

Tensor map(const Shape& shape, std::uint64_t seed) {
  return random_tensor(shape, seed).to(DType::f32).contiguous(shape.rank() == 4 ? Layout::channels_last : Layout::row_major);
}

plan::Plan planned(const Function& f, const Shape& x) {
  return plan::compile([&](const Vars& in) { return f(in[0]); }, {x});
}

// Elements are moved, and pointwise work is the same arithmetic either way: no bit may differ.
void check_same(const Function& f, const Shape& shape) {
  INFO(shape);
  const Tensor x = map(shape, 3);
  const auto plan = planned(f, shape);
  CHECK(plan.lowered());
  NoGrad no_grad;
  const Vars want = f(Var(x));
  const Tensors got = plan.run({x}).outputs;
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    REQUIRE(got[i].shape() == want[i].shape());
    CHECK(got[i].values() == want[i].value().values());
  }
}

std::size_t copies(const plan::Plan& plan) {
  std::size_t n = 0;
  for (const auto& s : plan.steps()) n += s.how == "strided copy";
  return n;
}

const Shapes kMaps{{1, 6, 5, 7}, {3, 20, 17, 33}, {2, 4, 1, 9}, {1, 12, 1, 1}, {5, 4, 40, 3}};

}  // namespace

TEST_CASE("plan strided copies: every order of the axes of a map") {
  for (const Shape& order :
       {Shape{0, 1, 3, 2}, Shape{0, 2, 1, 3}, Shape{0, 3, 2, 1}, Shape{0, 2, 3, 1}, Shape{2, 0, 1, 3}, Shape{3, 2, 1, 0}})
    for (const Shape& shape : kMaps)
      check_same([&](const Var& x) { return Vars{relu(permute(x, order)), permute(relu(x), order)}; }, shape);
}

TEST_CASE("plan strided copies: from a map to tokens and back takes none") {
  const Function f = [](const Var& x) {
    const Shape s = x.shape();
    const Var tokens = permute(reshape(relu(x), {s[0], s[1], s[2] * s[3]}), {0, 2, 1});
    const Var y = tanh(tokens);
    return Vars{reshape(permute(y, {0, 2, 1}), s)};
  };
  for (const Shape& shape : kMaps) {
    check_same(f, shape);
    CHECK(copies(planned(f, shape)) == 0);
  }
}

TEST_CASE("plan strided copies: windows of a map are one copy, back another") {
  const Function f = [](const Var& x) {
    const std::int64_t n = x.dim(0), c = x.dim(1), h = x.dim(2) / 2, w = x.dim(3) / 3;
    Var y = permute(reshape(relu(x), {n, c, h, 2, w, 3}), {0, 2, 4, 3, 5, 1});
    y = tanh(reshape(y, {n * h * w, 6, c}));
    y = permute(reshape(y, {n, h, w, 2, 3, c}), {0, 5, 1, 3, 2, 4});
    return Vars{relu(reshape(y, x.shape()))};
  };
  for (const Shape& shape : {Shape{2, 5, 4, 9}, Shape{1, 16, 8, 12}}) {
    check_same(f, shape);
    CHECK(copies(planned(f, shape)) == 2);
  }
}

TEST_CASE("plan strided copies: parts, steps and repetitions") {
  for (const Shape& shape : {Shape{2, 6, 6, 8}, Shape{1, 3, 7, 4}, Shape{4, 9, 5}, Shape{3, 8}}) {
    const int last = shape.rank() - 1;
    check_same([&](const Var& x) { return Vars{slice(relu(x), last, 1, shape[last], 2), slice(x, 1, 0, 2, 1)}; }, shape);
    check_same([&](const Var& x) { return split(relu(x), 1, {1, shape[1] - 1}); }, shape);
    check_same([&](const Var& x) { return Vars{relu(expand(slice(x, 1, 0, 1, 1), shape)), x}; }, shape);
  }
}

TEST_CASE("plan strided copies: pixel shuffle and back") {
  for (const std::int64_t r : {2, 3}) {
    const Shape shape{2, 2 * r * r, 5, 4};
    check_same([&](const Var& x) { return Vars{pixel_shuffle(relu(x), r)}; }, shape);
    check_same([&](const Var& x) { return Vars{pixel_unshuffle(relu(x), r)}; }, {2, 3, 4 * r, 5 * r});
    check_same([&](const Var& x) { return Vars{pixel_unshuffle(pixel_shuffle(relu(x), r), r)}; }, shape);
  }
}

TEST_CASE("plan strided copies: concatenation along every axis") {
  Var constant(map({1, 1, 1, 1}, 9));
  for (const Shape& shape : kMaps)
    for (int axis = 0; axis < 4; ++axis) {
      check_same([&](const Var& x) { return Vars{concat({relu(x), tanh(x), x}, axis)}; }, shape);
      check_same(
          [&](const Var& x) {
            return Vars{relu(concat({x, x, permute(permute(x, {0, 1, 3, 2}), {0, 1, 3, 2})}, axis))};
          },
          shape);
      check_same(
          [&](const Var& x) {
            const Var a = relu(x), both = concat({a, tanh(x)}, axis), all = concat({both, both, a}, axis);
            return Vars{a, relu(all), both};
          },
          shape);
    }
  check_same([&](const Var& x) { return Vars{concat({expand(constant, {1, 3, 1, 1}), x}, 1)}; }, {1, 4, 1, 1});
}

TEST_CASE("plan strided copies: contiguous parts of a concatenation are written into it at once") {
  const Function rows = [](const Var& x) { return Vars{relu(concat({tanh(x), sigmoid(x)}, 2))}; };
  CHECK(copies(planned(rows, {1, 8, 5, 3})) == 0);
  CHECK(copies(planned(rows, {2, 8, 5, 3})) == 1);  // the samples stand between
}

TEST_CASE("plan elementwise: two chains that meet are one step") {
  const Function f = [](const Var& x) {
    const Var c = sigmoid(global_avg_pool(x)), p = sigmoid(slice(x, 1, 0, 1, 1));
    const Var y = relu(x * c + tanh(x) * p - x * sigmoid(c));
    return Vars{y, maximum(y, x * p + maximum(x, x * c))};
  };
  for (const Shape& shape : kMaps) {
    if (shape[2] * shape[3] == 1) continue;
    const Tensor x = map(shape, 3);
    const auto plan = planned(f, shape);
    std::size_t steps = 0;
    for (const auto& s : plan.steps()) steps += s.output == shape;
    CHECK(steps == 2);
    NoGrad no_grad;
    const Vars want = f(Var(x));
    const Tensors got = plan.run({x}).outputs;
    // The mean of up to 660 values below 6 may be summed in another order; all that follows is damped to 6 times that.
    for (std::size_t i = 0; i < want.size(); ++i)
      CHECK(max_difference(got[i], want[i].value()) <= 6 * 6.0 * (660 + 8) / 16777216);
  }
}
