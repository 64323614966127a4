#include <cmath>

#include "modules/autograd/cast.hpp"
#include "modules/core/random.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/conv2d.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using fovea::test::fails_with;
using V = std::vector<double>;

namespace {

Var leaf(const std::vector<float>& v) { return Var(Tensor::from(v, {static_cast<std::int64_t>(v.size())}), true); }
Var total(const Var& x) { return sum(x, {0}, false); }

}  // namespace

TEST_CASE("backward: a value used several times sums its gradients") {
  const Var x = leaf({2, 3});
  const Var y = x * x + x;
  total(y * x).backward();  // x^3 + x^2
  CHECK(x.grad().values() == V{3 * 4 + 2 * 2, 3 * 9 + 2 * 3});
}

TEST_CASE("backward: order follows the graph, not the depth") {
  const Var x = leaf({1.5f});
  Var shallow = scale(x, 2), deep = x;
  for (int i = 0; i < 50; ++i) deep = scale(deep, 1, 0.1);
  total(deep * shallow + shallow).backward();
  CHECK(x.grad().item() == Approx(2 * (1.5 + 5) + 2 * 1.5 + 2));
}

TEST_CASE("backward: twice over one forward is an error, twice over two adds up") {
  const Var x = leaf({1, 2});
  const Var y = total(x * x);
  y.backward();
  CHECK(fails_with([&] { y.backward(); }, "backward ran twice"));
  total(x * x).backward();
  CHECK(x.grad().values() == V{4, 8});
  Var again = x;
  again.zero_grad();
  CHECK_FALSE(x.grad().defined());  // copies share the state
}

TEST_CASE("backward: seeds") {
  const Var x = leaf({1, 2});
  const Var y = scale(x, 3);
  CHECK(fails_with([&] { y.backward(); }, "a seed is needed for a value of shape 2"));
  CHECK(fails_with([&] { y.backward(Tensor::zeros({3})); }, "expected a seed of shape 2, got 3"));
  y.backward(Tensor::from(std::vector<float>{1, 10}, {2}));
  CHECK(x.grad().values() == V{3, 30});
  CHECK(fails_with([&] { Var(Tensor::zeros({1})).backward(); }, "nothing here wants a gradient"));
  const Var alone = leaf({5});
  alone.backward();
  alone.backward();
  CHECK(alone.grad().item() == 2);
}

TEST_CASE("backward: an accumulated gradient never changes somebody else's memory") {
  const Var x = leaf({1, 2});
  const Tensor seed = Tensor::full({2}, 1);
  (x + x).backward(seed);
  (x + x).backward(seed);
  CHECK(seed.values() == V{1, 1});
  CHECK(x.grad().values() == V{4, 4});
  const Var z = leaf({1, 2});
  z.backward(seed);
  z.backward(seed);
  CHECK(seed.values() == V{1, 1});
  const Var a = leaf({1, 2}), b = leaf({3, 4});
  const Var sum_ab = a + b;  // both receive one tensor
  total(sum_ab * sum_ab).backward();
  total(a).backward();
  CHECK(a.grad().values() == V{9, 13});
  CHECK(b.grad().values() == V{8, 12});
}

TEST_CASE("NoGrad, detach, frozen leaves") {
  const Var x = leaf({1, 2});
  {
    const NoGrad off;
    CHECK(NoGrad::active());
    CHECK_FALSE((x * x).requires_grad());
    { const NoGrad nested; }
    CHECK(NoGrad::active());
  }
  CHECK_FALSE(NoGrad::active());
  CHECK_FALSE((x * x).detach().requires_grad());
  const Var fixed(Tensor::full({2}, 4));
  total(x * fixed).backward();
  CHECK(x.grad().values() == V{4, 4});
  CHECK_FALSE(fixed.grad().defined());
}

TEST_CASE("set_value keeps the shape and makes caches stale") {
  Var x = leaf({1, 2});
  const auto version = x.value().storage()->version;
  x.set_value(Tensor::full({2}, 9, DType::f64));
  CHECK(x.value().values() == V{9, 9});
  CHECK(x.value().storage()->version > version);
  CHECK(fails_with([&] { x.set_value(Tensor::zeros({3})); }, "expected a value of shape 2, got 3"));
}

TEST_CASE("a convolution after set_value uses the new weight") {
  Var w(Tensor::full({32, 32, 3, 3}, 1), true);
  w.mark_parameter();
  const Var x(Tensor::full({1, 32, 4, 4}, 1, DType::f32, Layout::channels_last));
  CHECK(conv2d(x, w, {}, {}).value().values()[0] == 288);
  w.set_value(Tensor::full({32, 32, 3, 3}, 2));
  CHECK(conv2d(x, w, {}, {}).value().values()[0] == 576);
}

TEST_CASE("cast gives the gradient in the input's type") {
  const Var x = leaf({1, 2});
  const Var y = cast(x, DType::bf16);
  CHECK(y.dtype() == DType::bf16);
  y.backward(Tensor::full({2}, 3, DType::bf16));
  CHECK(x.grad().dtype() == DType::f32);
  CHECK(cast(x, DType::f32).state() == x.state());
}

TEST_CASE("precision: bf16 contractions, f32 weight gradients, f32 outside") {
  Tensor weights = Tensor::empty({16, 16, 3, 3}), map = Tensor::empty({1, 16, 6, 6});
  Random(1).fill_normal(weights, 0, 0.1), Random(2).fill_normal(map, 0, 1);
  Var w(weights, true), x(map.contiguous(Layout::channels_last), true), bias(Tensor::zeros({16}), true);
  w.mark_parameter(), bias.mark_parameter();
  {
    const Precision bf16_scope(DType::bf16);
    CHECK(Precision::current() == DType::bf16);
    const Var y = relu(conv2d(x, w, bias, {}));
    CHECK(y.dtype() == DType::bf16);
    CHECK(add(y, Var(Tensor::full({16, 1, 1}, 1))).dtype() == DType::bf16);  // pointwise work follows the map
    mean(y, {0, 1, 2, 3}).backward();
    CHECK(matmul(Var(Tensor::zeros({2, 3})), Var(Tensor::zeros({3, 2}))).dtype() == DType::bf16);
  }
  CHECK(w.grad().dtype() == DType::f32);
  CHECK(bias.grad().dtype() == DType::f32);
  CHECK(x.grad().dtype() == DType::f32);
  CHECK(Precision::current() == DType::f32);
  CHECK(conv2d(x, w, bias, {}).dtype() == DType::f32);
  CHECK(parse_precision("f32") == DType::f32);
  CHECK(fails_with([] { parse_precision("fp16"); }, "expected f32, bf16 or auto, got 'fp16'"));
  CHECK_THROWS_AS(Precision(DType::u8), Error);
}

TEST_CASE("errors carry the path of the module, in backward too") {
  const Var x = leaf({1, 2});
  CHECK(fails_with(
      [&] {
        const PathScope outer("backbone.layer3.0");
        x + leaf({1, 2, 3});
      },
      "backbone.layer3.0: add: expected shapes that broadcast, got 2 and 3"));
  CHECK(PathScope::current().empty());
  Var y;
  {
    const PathScope where("head");
    y = total(x * x);
  }
  y.backward();
  CHECK(fails_with([&] { y.backward(); }, "head: sum: backward ran twice"));
}

TEST_CASE("an empty piece and an unused output") {
  const Var x = leaf({1, 2, 3});
  const Vars parts = split(x, 0, {0, 1, 2});
  total(concat({parts[2], parts[0]}, 0)).backward();
  CHECK(x.grad().values() == V{0, 1, 1});
}
