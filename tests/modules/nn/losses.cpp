#include <cmath>

#include "modules/core/random.hpp"
#include "modules/nn/losses.hpp"
#include "modules/ops/slice.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

Tensor labels(const std::vector<std::int64_t>& v, const Shape& shape) { return Tensor::from(v, shape); }

Tensor in_unit_interval(const Shape& shape, std::uint64_t seed) {
  Tensor t = Tensor::empty(shape, DType::f64);
  Random(seed).fill_uniform(t, 0.05, 0.95);
  t = t.to(DType::bf16).to(DType::f64);
  return shape.rank() == 4 ? t.contiguous(Layout::channels_last) : t;
}

}  // namespace

TEST_CASE("losses of a difference") {
  const Tensors pair{random_tensor({3, 5, 40, 41}, 1), random_tensor({3, 5, 40, 41}, 2)};
  for (const Reduction r : {Reduction::mean, Reduction::sum}) {
    const OpCheck check{
        .batch_mixing = true,
        .bad = {{{{3, 5}, {3, 4}}, "expected a target of shape 3x5, got 3x4"}, {{{0}, {0}}, "at least one element"}}};
    check_op(
        "l1_loss", [&](const Vars& v) { return Vars{l1_loss(v[0], v[1], r)}; }, pair, check);
    check_op(
        "mse_loss", [&](const Vars& v) { return Vars{mse_loss(v[0], v[1], r)}; }, pair, check);
    check_op(
        "charbonnier_loss", [&](const Vars& v) { return Vars{charbonnier_loss(v[0], v[1], 1e-1, r)}; }, pair, check);
  }
  const Var p(Tensor::from(std::vector<float>{1, 2, 3}, {3})), t(Tensor::from(std::vector<float>{1, 4, 0}, {3}));
  CHECK(l1_loss(p, t).value().item() == Approx(5.0 / 3));
  CHECK(mse_loss(p, t, Reduction::sum).value().item() == Approx(13));
  CHECK(charbonnier_loss(p, p).value().item() == Approx(1e-3));
}

TEST_CASE("cross_entropy") {
  const Tensor weights = in_unit_interval({7}, 9);
  CrossEntropyOptions full{.label_smoothing = 0.1, .ignore_index = 2, .class_weights = weights};
  const Tensor target = labels({0, 6, 2, 3, 3, 1}, {6});
  for (const auto& o : {CrossEntropyOptions{}, full, CrossEntropyOptions{.reduction = Reduction::sum}}) {
    check_op("cross_entropy", [&](const Vars& v) { return Vars{cross_entropy(v[0], v[1], o)}; },
             {random_tensor({6, 7}, 1), target},
             {.batch_mixing = true, .conditioning = 2, .bad = {{{{6, 7}, {5}}, "cross_entropy: expected targets of shape 6"}}});
    std::vector<std::int64_t> positions;
    for (std::int64_t i = 0; i < 2 * 20 * 21; ++i) positions.push_back(i * 5 % 7);
    check_op("cross_entropy", [&](const Vars& v) { return Vars{cross_entropy(v[0], v[1], o)}; },
             {random_tensor({2, 7, 20, 21}, 1), labels(positions, {2, 20, 21})}, {.batch_mixing = true, .conditioning = 2});
  }
  // Numbers of torch.nn.functional.cross_entropy's definition.
  const Var logits(Tensor::from(std::vector<double>{0, std::log(3.0), std::log(2.0), 0}, {2, 2}));
  auto loss = [&](const std::vector<std::int64_t>& t, const CrossEntropyOptions& o) {
    return cross_entropy(logits, Var(labels(t, {2})), o).value().item();
  };
  CHECK(loss({1, 0}, {}) == Approx((std::log(4.0 / 3) + std::log(1.5)) / 2));
  CHECK(loss({1, -100}, {}) == Approx(std::log(4.0 / 3)));
  CHECK(loss({1, 0}, {.class_weights = Tensor::from(std::vector<double>{1, 3}, {2})}) ==
        Approx((3 * std::log(4.0 / 3) + std::log(1.5)) / 4));
  CHECK(loss({1, -100}, {.label_smoothing = 0.1}) ==
        Approx(0.9 * std::log(4.0 / 3) + 0.05 * (std::log(4.0) + std::log(4.0 / 3))));
  CHECK(loss({-100, -100}, {}) == 0);
  CHECK(fails_with([&] { loss({1, 2}, {}); }, "expected targets from 0 to 1 or -100, got 2"));
  CHECK_THROWS_AS(cross_entropy(logits, Var(Tensor::zeros({2}))), Error);
  const Var far(Tensor::from(std::vector<float>{1e4, -1e4}, {1, 2}));
  CHECK(cross_entropy(far, Var(labels({1}, {1}))).value().item() == Approx(2e4));
}

TEST_CASE("soft_cross_entropy") {
  const Tensor weights = in_unit_interval({7}, 9);
  for (const auto& o : {CrossEntropyOptions{}, CrossEntropyOptions{.label_smoothing = 0.1, .class_weights = weights},
                        CrossEntropyOptions{.reduction = Reduction::sum}}) {
    check_op("soft_cross_entropy", [&](const Vars& v) { return Vars{soft_cross_entropy(v[0], v[1], o)}; },
             {random_tensor({6, 7}, 1), in_unit_interval({6, 7}, 2)},
             {.batch_mixing = true,
              .conditioning = 2,
              .bad = {{{{6, 7}, {6, 5}}, "soft_cross_entropy: expected class probabilities of shape 6x7"}}});
    check_op("soft_cross_entropy", [&](const Vars& v) { return Vars{soft_cross_entropy(v[0], v[1], o)}; },
             {random_tensor({2, 7, 20, 21}, 1), in_unit_interval({2, 7, 20, 21}, 2)}, {.batch_mixing = true, .conditioning = 2});
  }
  // One-hot targets give what indices give, smoothed or not.
  const Var logits(random_tensor({3, 4}, 5)), hard(labels({2, 0, 3}, {3}));
  const Var soft(Tensor::from(std::vector<double>{0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1}, {3, 4}));
  for (const double s : {0.0, 0.1})
    CHECK(soft_cross_entropy(logits, soft, {.label_smoothing = s}).value().item() ==
          Approx(cross_entropy(logits, hard, {.label_smoothing = s}).value().item()));
  // By hand: probabilities 1/4 and 3/4 of the logits, 0.5 and 0.5 wanted.
  const Var two(Tensor::from(std::vector<double>{0, std::log(3.0)}, {1, 2})),
      even(Tensor::from(std::vector<double>{0.5, 0.5}, {1, 2}));
  CHECK(soft_cross_entropy(two, even).value().item() == Approx(0.5 * std::log(4.0) + 0.5 * std::log(4.0 / 3)));
  CHECK(soft_cross_entropy(two, even, {.class_weights = Tensor::from(std::vector<double>{1, 3}, {2})}).value().item() ==
        Approx(0.5 * std::log(4.0) + 1.5 * std::log(4.0 / 3)));
}

TEST_CASE("bce_with_logits") {
  const Tensors pair{random_tensor({3, 5, 20, 21}, 1, 0, 3), in_unit_interval({3, 5, 20, 21}, 2)};
  for (const auto& o : {BceOptions{}, BceOptions{.pos_weight = in_unit_interval({5}, 3)},
                        BceOptions{.pos_weight = Tensor::full({}, 2), .reduction = Reduction::sum}})
    check_op("bce_with_logits", [&](const Vars& v) { return Vars{bce_with_logits(v[0], v[1], o)}; }, pair,
             {.batch_mixing = true,
              .conditioning = 2,
              .bad = {{{{3, 5}, {3, 4}}, "bce_with_logits: expected a target of shape 3x5"}}});
  check_op("bce_with_logits", [](const Vars& v) { return Vars{bce_with_logits(v[0], v[1])}; },
           {random_tensor({40}, 1), in_unit_interval({40}, 2)}, {.batch_mixing = true, .conditioning = 2});
  const Var x(Tensor::from(std::vector<float>{0, 1000, -1000}, {3})), t(Tensor::from(std::vector<float>{1, 1, 1}, {3}));
  CHECK(bce_with_logits(x, t, {.reduction = Reduction::sum}).value().item() == Approx(std::log(2.0) + 1000));
  CHECK(bce_with_logits(x, t, {.pos_weight = Tensor::full({}, 3), .reduction = Reduction::sum}).value().item() ==
        Approx(3 * (std::log(2.0) + 1000)));
  CHECK_THROWS_AS(bce_with_logits(x, t, {.pos_weight = Tensor::full({2}, 1)}), Error);
}

TEST_CASE("soft_dice_loss") {
  check_op("soft_dice_loss", [](const Vars& v) { return Vars{soft_dice_loss(v[0], v[1])}; },
           {in_unit_interval({3, 5, 20, 21}, 1), in_unit_interval({3, 5, 20, 21}, 2)},
           {.batch_mixing = true, .bad = {{{{3}, {3}}, "soft_dice_loss: expected (N, C, ...)"}}});
  const Var p(Tensor::from(std::vector<double>{1, 0.5, 0, 0}, {1, 1, 4})),
      t(Tensor::from(std::vector<double>{1, 1, 0, 0}, {1, 1, 4}));
  CHECK(soft_dice_loss(p, t).value().item() == Approx(1 - (2 * 1.5 + 1) / (3.5 + 1)));
  CHECK(soft_dice_loss(t, t).value().item() == Approx(0));

  const Tensor weights = Tensor::from(std::vector<double>{3, 0, 1}, {3});
  check_op("soft_dice_loss", [&](const Vars& v) { return Vars{soft_dice_loss(v[0], v[1], {.class_weights = weights})}; },
           {in_unit_interval({2, 3, 9, 7}, 3), in_unit_interval({2, 3, 9, 7}, 4)},
           {.batch_mixing = true, .bad = {{{{2, 4, 3, 3}, {2, 4, 3, 3}}, "soft_dice_loss: expected 4 class weights, got 3"}}});
  const Var a(in_unit_interval({1, 3, 4, 4}, 5)), b(in_unit_interval({1, 3, 4, 4}, 6));
  const auto of_class = [&](std::int64_t c) {
    return soft_dice_loss(slice(a, 1, c, c + 1), slice(b, 1, c, c + 1)).value().item();
  };
  CHECK(soft_dice_loss(a, b, {.class_weights = weights}).value().item() == Approx((3 * of_class(0) + of_class(2)) / 4));
  CHECK_THROWS_AS(soft_dice_loss(a, b, {.class_weights = Tensor::full({3}, 0)}), Error);
  CHECK_THROWS_AS(soft_dice_loss(a, b, {.class_weights = Tensor::full({3}, -1)}), Error);
}
