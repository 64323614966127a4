#include <cmath>

#include "modules/ops/binary.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;
using V = std::vector<double>;

TEST_CASE("unary ops") {
  const std::vector<std::pair<std::string, Var (*)(const Var&)>> ops{
      {"relu", [](const Var& x) { return relu(x); }},
      {"leaky_relu", [](const Var& x) { return leaky_relu(x, 0.2); }},
      {"relu6", [](const Var& x) { return relu6(x); }},
      {"sigmoid", [](const Var& x) { return sigmoid(x); }},
      {"tanh", [](const Var& x) { return fovea::tanh(x); }},
      {"hard_sigmoid", [](const Var& x) { return hard_sigmoid(x); }},
      {"hard_swish", [](const Var& x) { return hard_swish(x); }},
      {"silu", [](const Var& x) { return silu(x); }},
      {"gelu", [](const Var& x) { return gelu(x); }},
      {"elu", [](const Var& x) { return elu(x, 1.3); }},
      {"softplus", [](const Var& x) { return softplus(x); }},
      {"exp", [](const Var& x) { return fovea::exp(x); }},
      {"clamp", [](const Var& x) { return clamp(x, -0.7, 1.3); }},
      {"neg", [](const Var& x) { return neg(x); }},
      {"scale", [](const Var& x) { return scale(x, 1.7, -0.3); }},
      {"pow", [](const Var& x) { return fovea::pow(x, 3); }}};
  for (const auto& [name, op] : ops) {
    auto f = [op = op](const Vars& v) { return Vars{op(v[0])}; };
    check_op(name, f, {random_tensor({3, 7, 9, 10}, 1, 0, 3)}, {.conditioning = 2});
    check_op(name, f, {random_tensor({3, 17}, 2)}, {.conditioning = 2});
  }
  const Tensors positive{fovea::exp(Var(random_tensor({3, 5, 9, 10}, 3))).value().to(DType::bf16).to(DType::f64)};
  check_op("log", [](const Vars& v) { return Vars{fovea::log(v[0])}; }, positive, {.conditioning = 2});
  check_op("sqrt", [](const Vars& v) { return Vars{fovea::sqrt(v[0])}; }, positive, {.conditioning = 2});
  check_op("pow", [](const Vars& v) { return Vars{fovea::pow(v[0], -0.5)}; }, positive, {.conditioning = 2});
}

TEST_CASE("unary ops by hand") {
  const Var x(Tensor::from(std::vector<double>{-4, -1, 0, 1, 8}, {5}));
  CHECK(relu6(x).value().values() == V{0, 0, 0, 1, 6});
  CHECK(hard_sigmoid(x).value().values()[1] == Approx(1.0 / 3));
  CHECK(hard_swish(x).value().values()[4] == Approx(8));
  CHECK(leaky_relu(x).value().values()[0] == Approx(-0.04));
  CHECK(sigmoid(x).value().values()[3] == Approx(0.7310585786));
  CHECK(silu(x).value().values()[1] == Approx(-0.2689414214));
  CHECK(gelu(x).value().values()[3] == Approx(0.8413447461));
  CHECK(clamp(x, -2, 3).value().values() == V{-2, -1, 0, 1, 3});
  CHECK(elu(x).value().values()[1] == Approx(-0.6321205588));
  CHECK(softplus(x).value().values()[3] == Approx(1.3132616875));
  // Far out nothing overflows.
  const Var far(Tensor::from(std::vector<float>{-1000, 1000}, {2}));
  CHECK(sigmoid(far).value().values() == V{0, 1});
  CHECK(silu(far).value().values() == V{0, 1000});
  CHECK(fovea::tanh(far).value().values() == V{-1, 1});
  CHECK(gelu(far).value().values() == V{0, 1000});
  CHECK(elu(far).value().values() == V{-1, 1000});
  CHECK(softplus(far).value().values() == V{0, 1000});
}

TEST_CASE("binary ops") {
  const std::vector<std::pair<std::string, Var (*)(const Var&, const Var&)>> ops{
      {"add", add}, {"sub", sub}, {"mul", mul}, {"div", fovea::div}, {"maximum", maximum}};
  const Tensor gate = fovea::exp(Var(random_tensor({3, 7, 1, 1}, 3))).value().to(DType::bf16).to(DType::f64);
  const Tensor map = random_tensor({3, 7, 9, 10}, 1),
               other = scale(Var(sigmoid(Var(random_tensor({3, 7, 9, 10}, 2))).value()), 1, 0.5).value();
  const Tensor rounded = other.to(DType::bf16).to(DType::f64);
  for (const auto& [name, op] : ops) {
    auto f = [op = op](const Vars& v) { return Vars{op(v[0], v[1])}; };
    const OpCheck check{.bad = {{{{3, 7, 9, 10}, {3, 7, 9, 9}}, name + ": expected shapes that broadcast"}}};
    check_op(name, f, {map, rounded}, check);
    check_op(name, f, {map, gate}, check);
    check_op(name, f, {random_tensor({3, 1, 9, 10}, 4), gate}, check);
    check_op(name, f, {random_tensor({3, 5}, 4), scale(Var(random_tensor({5}, 5, 4, 0.2)), 1).value()},
             {.parameters = {}, .batch_mixing = true, .bf16 = true});
  }
  Var a(Tensor::from(std::vector<float>{1, 2, 3}, {3}), true), b(Tensor::from(std::vector<float>{2, 2, 1}, {3}), true);
  maximum(a, b).backward(Tensor::full({3}, 1));
  CHECK(a.grad().values() == V{0, 0.5, 1});
  CHECK(b.grad().values() == V{1, 0.5, 0});
}

TEST_CASE("sums, means, maxima") {
  const Tensors map{random_tensor({3, 7, 9, 10}, 1, 0.3)};
  const OpCheck samples{.bad = {{{{3, 7}}, "outside a tensor of rank 2"}}};
  for (const std::vector<int>& axes : {std::vector<int>{2, 3}, {1}, {1, 2, 3}, {-1}, {2}, {1, 3}})
    for (const bool keep : {true, false}) {
      check_op(
          "sum", [&](const Vars& v) { return Vars{sum(v[0], axes, keep)}; }, map);
      check_op(
          "mean", [&](const Vars& v) { return Vars{mean(v[0], axes, keep)}; }, map);
      check_op(
          "max", [&](const Vars& v) { return Vars{fovea::max(v[0], axes, keep)}; }, map);
    }
  for (const std::vector<int>& axes : {std::vector<int>{0, 2, 3}, {0}, {0, 1, 2, 3}, {0, 1}}) {
    check_op("sum", [&](const Vars& v) { return Vars{sum(v[0], axes, false)}; }, map, {.batch_mixing = true});
    check_op("max", [&](const Vars& v) { return Vars{fovea::max(v[0], axes)}; }, map, {.batch_mixing = true});
  }
  check_op(
      "mean",
      [](const Vars& v) {
        return Vars{mean(v[0], {2, 3})};
      },
      map, samples);
  check_op("sum", [](const Vars& v) { return Vars{sum(v[0], {1})}; }, {random_tensor({2, 5000}, 2)});
  check_op("max", [](const Vars& v) { return Vars{fovea::max(v[0], {1})}; }, {random_tensor({2, 300, 5}, 2)});

  const Tensor cube = Tensor::from(std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8}, {2, 2, 2});
  CHECK(sum(Var(cube), {0, 2}, false).value().values() == V{14, 22});
  CHECK(mean(Var(cube), {1}).value().values() == V{2, 3, 6, 7});
  CHECK(fovea::max(Var(cube), {0}, false).value().values() == V{5, 6, 7, 8});
  Var ties(Tensor::from(std::vector<float>{3, 1, 3, 3, 0, 3}, {2, 3}), true);
  fovea::max(ties, {1}).backward(Tensor::full({2, 1}, 1));
  CHECK(ties.grad().values() == V{1, 0, 0, 1, 0, 0});
  // Channels-last with the channels among the reduced axes: "first" still means row-major order.
  Var map_ties(Tensor::full({1, 2, 2, 2}, 1, DType::f32, Layout::channels_last), true);
  fovea::max(map_ties, {1, 2, 3}).backward(Tensor::full({1, 1, 1, 1}, 1));
  CHECK(map_ties.grad().values() == V{1, 0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("softmax and log_softmax") {
  for (const int axis : {1, 2, -1}) {
    const Tensors map{random_tensor({3, 7, 9, 10}, 1, 0, 2)};
    check_op("softmax", [&](const Vars& v) { return Vars{softmax(v[0], axis)}; }, map,
             {.conditioning = 2, .bad = {{{{}}, "outside a tensor of rank 0"}}});
    check_op("log_softmax", [&](const Vars& v) { return Vars{log_softmax(v[0], axis)}; }, map, {.conditioning = 2});
  }
  check_op("softmax", [](const Vars& v) { return Vars{softmax(v[0], -1)}; }, {random_tensor({2, 5, 70}, 2)}, {.conditioning = 2});
  check_op("log_softmax", [](const Vars& v) { return Vars{log_softmax(v[0], 1)}; }, {random_tensor({4, 10}, 2)},
           {.conditioning = 2});
  const auto y = softmax(Var(Tensor::from(std::vector<float>{1000, 1000, -1000}, {3})), 0).value().values();
  CHECK(y == V{0.5, 0.5, 0});
  const auto z = log_softmax(Var(Tensor::from(std::vector<double>{0, std::log(3.0)}, {2})), 0).value().values();
  CHECK(z[0] == Approx(std::log(0.25)));
}
