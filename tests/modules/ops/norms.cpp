#include "modules/ops/batch_norm.hpp"
#include "modules/ops/group_norm.hpp"
#include "modules/ops/layer_norm.hpp"
#include "modules/ops/unary.hpp"
#include "modules/plan/plan.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;

TEST_CASE("batch_norm: training and evaluation") {
  for (const std::int64_t c : {1, 7, 64}) {
    const Tensors in{random_tensor({3, c, 9, 14}, 1, 0.5, 2), random_tensor({c}, 2, 1, 0.3), random_tensor({c}, 3)};
    OpCheck check{.parameters = {1, 2}, .batch_mixing = true, .conditioning = 4};
    check.bad = {{{{2, c, 3, 3}, {c + 1}, {c}}, "expected parameters of shape"}, {{{4}, {c}, {c}}, "expected (N, C, ...)"}};
    check_op(
        "batch_norm", [](const Vars& v) { return Vars{batch_norm(v[0], v[1], v[2], {}, {}, {.training = true})}; }, in, check);
    const Tensor mean = random_tensor({c}, 4), var = random_tensor({c}, 5, 3, 0.2);
    check.batch_mixing = false;
    check_op(
        "batch_norm", [&](const Vars& v) { return Vars{batch_norm(v[0], v[1], v[2], mean, var)}; }, in, check);
  }
  const Tensors tokens{random_tensor({6, 5, 4}, 6)};
  check_op("batch_norm", [](const Vars& v) { return Vars{batch_norm(v[0], {}, {}, {}, {}, {.training = true})}; }, tokens,
           {.batch_mixing = true, .conditioning = 4});
}

TEST_CASE("batch_norm_clamp") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const std::int64_t c : {1, 7, 64})
    for (const double high : {kInfinity, 1.5}) {
      const Tensors in{random_tensor({3, c, 9, 14}, 1, 0.5, 2), random_tensor({c}, 2, 1, 0.3), random_tensor({c}, 3)};
      OpCheck check{.parameters = {1, 2}, .batch_mixing = true, .bf16 = false, .conditioning = 4};
      check_op(
          "batch_norm_clamp",
          [&](const Vars& v) { return Vars{batch_norm_clamp(v[0], v[1], v[2], {}, {}, {.training = true}, 0, high)}; }, in,
          check);
      const Tensor mean = random_tensor({c}, 4), var = random_tensor({c}, 5, 3, 0.2);
      check.batch_mixing = false;
      check_op(
          "batch_norm_clamp", [&](const Vars& v) { return Vars{batch_norm_clamp(v[0], v[1], v[2], mean, var, {}, 0, high)}; }, in,
          check);
    }
  // The same as the two ops one behind the other, in bf16 up to the rounding between them.
  const Tensor x = random_tensor({2, 24, 8, 8}, 6), w = random_tensor({24}, 7, 1, 0.3), b = random_tensor({24}, 8);
  for (const DType type : {DType::f32, DType::bf16}) {
    const auto run = [&](bool fused) {
      const Var v(x.to(type), true), weight(w.to(DType::f32), true), bias(b.to(DType::f32), true);
      const BatchNormOptions training{.training = true};
      const Var y = fused ? batch_norm_clamp(v, weight, bias, {}, {}, training, 0, kInfinity)
                          : relu(batch_norm(v, weight, bias, {}, {}, training));
      y.backward(random_tensor(x.shape(), 9).to(type));
      return Tensors{y.value(), v.grad(), weight.grad(), bias.grad()};
    };
    const Tensors one = run(true), two = run(false);
    for (std::size_t i = 0; i < one.size(); ++i) CHECK(max_difference(one[i], two[i]) < (type == DType::f32 ? 1e-4 : 0.25));
  }
  CHECK_THROWS_AS(batch_norm_clamp(Var(x), {}, {}, {}, {}, {.training = true}, 1, 1), Error);
}

TEST_CASE("batch_norm: running statistics by hand") {
  // Channel 0: 1 2 3 6 (mean 3, biased 3.5, unbiased 14/3); channel 1: all 5.
  const Var x(Tensor::from(std::vector<float>{1, 5, 2, 5, 3, 5, 6, 5}, {4, 2}));
  Tensor mean = Tensor::full({2}, 1), var = Tensor::full({2}, 2);
  const auto version = mean.storage()->version;
  const Var y = batch_norm(x, {}, {}, mean, var, {.training = true, .momentum = 0.1, .eps = 0});
  CHECK(mean.values()[0] == Approx(0.9 + 0.3));
  CHECK(mean.values()[1] == Approx(0.9 + 0.5));
  CHECK(var.values()[0] == Approx(1.8 + 0.1 * 14.0 / 3));
  CHECK(var.values()[1] == Approx(1.8));
  CHECK(mean.storage()->version > version);
  CHECK(y.value().values()[0] == Approx(-2 / std::sqrt(3.5)));
  const Var z = batch_norm(x, {}, {}, Tensor::full({2}, 1), Tensor::full({2}, 4), {.eps = 0});
  CHECK(z.value().values()[6] == Approx(2.5));
  CHECK_THROWS_AS(batch_norm(Var(Tensor::zeros({1, 2})), {}, {}, mean, var, {.training = true}), Error);
  const auto training = [&](const Vars& v) { return Vars{batch_norm(v[0], {}, {}, mean, var, {.training = true})}; };
  CHECK_THROWS_WITH(plan::compile(training, {{4, 2}}), Catch::Matchers::ContainsSubstring("outside training"));
}

TEST_CASE("batch_norm: digits survive a large mean") {
  const Tensor x = random_tensor({4, 3, 32, 32}, 9, 0, 0.01);
  Tensor far = Tensor::like(x);
  far.copy_from(x);
  for (std::int64_t i = 0; i < far.size(); ++i) far.data<double>()[i] += 100;
  const Tensor single = far.to(DType::f32);
  auto norm = [](const Tensor& t) { return batch_norm(Var(t), {}, {}, {}, {}, {.training = true}).value(); };
  CHECK(max_difference(norm(single), norm(single.to(DType::f64))) < 1e-3);  // E[x^2] - E[x]^2 in f32 would lose everything
}

TEST_CASE("layer_norm") {
  const Tensors in{random_tensor({3, 5, 37}, 1, 0.5, 2), random_tensor({37}, 2, 1, 0.3), random_tensor({37}, 3)};
  OpCheck check{.parameters = {1, 2}, .conditioning = 4};
  check.bad = {{{{3, 5, 36}, {37}, {37}}, "layer_norm: expected parameters of shape 36"}};
  check_op(
      "layer_norm", [](const Vars& v) { return Vars{layer_norm(v[0], v[1], v[2])}; }, in, check);
  const Tensors two{random_tensor({3, 2, 5, 7}, 1), random_tensor({5, 7}, 2), random_tensor({5, 7}, 3)};
  check_op("layer_norm", [](const Vars& v) { return Vars{layer_norm(v[0], v[1], v[2], 2)}; }, two,
           {.parameters = {1, 2}, .conditioning = 4});
  check_op("layer_norm", [](const Vars& v) { return Vars{layer_norm(v[0], {}, {})}; }, {random_tensor({2, 9000}, 4, 1)},
           {.conditioning = 4});
  for (const std::int64_t c : {7, 24, 64}) {
    const Tensors map{random_tensor({2, c, 5, 6}, 1), random_tensor({c}, 2), random_tensor({c}, 3)};
    OpCheck channels{.parameters = {1, 2}, .conditioning = 16};
    channels.bad = {{{{2, c, 5}, {c}, {c}}, "layer_norm_channels: expected (N, C, H, W)"}};
    check_op(
        "layer_norm_channels", [](const Vars& v) { return Vars{layer_norm_channels(v[0], v[1], v[2])}; }, map, channels);
  }
  const Var y = layer_norm(Var(Tensor::from(std::vector<float>{1, 3}, {1, 2})), {}, {}, 1, 0);
  CHECK(y.value().values() == std::vector<double>{-1, 1});
}

TEST_CASE("group_norm") {
  for (const int groups : {1, 4, 12}) {
    const Tensors in{random_tensor({3, 12, 6, 5}, 1, 0.5, 2), random_tensor({12}, 2, 1, 0.3), random_tensor({12}, 3)};
    OpCheck check{.parameters = {1, 2}, .conditioning = 4};
    check.bad = {{{{3, 12, 6, 5}, {6}, {12}}, "group_norm: expected parameters of shape 12"},
                 {{{3}, {12}, {12}}, "group_norm: expected (N, C, ...)"}};
    check_op(
        "group_norm", [&](const Vars& v) { return Vars{group_norm(v[0], groups, v[1], v[2])}; }, in, check);
  }
  const Var y = group_norm(Var(Tensor::from(std::vector<float>{1, 3, 10, 30}, {1, 4, 1, 1})), 2, {}, {}, 0);
  CHECK(y.value().values() == std::vector<double>{-1, 1, -1, 1});
  CHECK_THROWS_AS(group_norm(Var(Tensor::zeros({1, 4, 2, 2})), 3, {}, {}), Error);
}
