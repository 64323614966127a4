#include "modules/nn/detection_losses.hpp"

#include <cmath>
#include <numbers>

#include "modules/core/random.hpp"
#include "modules/nn/losses.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

Tensor uniform(const Shape& shape, double low, double high, std::uint64_t seed) {
  Tensor t = Tensor::empty(shape, DType::f64);
  Random(seed).fill_uniform(t, low, high);
  return t.to(DType::bf16).to(DType::f64);
}

// Pairs of boxes that overlap, lie apart, and lie in each other.
Tensor boxes(std::int64_t rows, std::uint64_t seed) {
  const Tensor corner = uniform({rows, 2}, 0, 8, seed), size = uniform({rows, 2}, 0.5, 6, seed + 1);
  Tensor out = Tensor::empty({rows, 4}, DType::f64);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t i = 0; i < 2; ++i) {
      const double low = corner.data<double>()[2 * r + i];
      out.data<double>()[4 * r + i] = low;
      out.data<double>()[4 * r + 2 + i] = low + size.data<double>()[2 * r + i];
    }
  return out.to(DType::bf16).to(DType::f64);
}

double loss_of(const std::vector<double>& a, const std::vector<double>& b, BoxLoss kind) {
  return box_loss(Var(Tensor::from(a, {1, 4})), Var(Tensor::from(b, {1, 4})), Var(Tensor::full({1}, 1, DType::f64)), kind)
      .value()
      .item();
}

}  // namespace

TEST_CASE("focal_loss") {
  const Tensor logits = random_tensor({3, 4, 9, 8}, 1), target = uniform({3, 4, 9, 8}, 0, 1, 2).contiguous(Layout::channels_last),
               weight = uniform({3, 4, 9, 8}, 0, 2, 3).contiguous(Layout::channels_last);
  for (const FocalOptions& o : {FocalOptions{}, FocalOptions{.gamma = 0}, FocalOptions{.gamma = 1.5, .alpha = 0.25}})
    check_op(
        "focal_loss", [&](const Vars& v) { return Vars{focal_loss(v[0], v[1], v[2], o)}; }, {logits, target, weight},
        {.fixed = {1, 2},
         .batch_mixing = true,
         .conditioning = 4,
         .bad = {{{{2, 3}, {2, 4}, {2, 3}}, "expected a target and weights of shape 2x3"}, {{{0}, {0}, {0}}, "at least one"}}});
  const Var ones(Tensor::full(logits.shape(), 1, DType::f64));
  CHECK(focal_loss(Var(logits), Var(target), ones, {.gamma = 0}).value().item() ==
        Approx(bce_with_logits(Var(logits), Var(target), {.reduction = Reduction::sum}).value().item()));
  // 0.25 (1 - p)^2 log(1/p) of an object, 0.75 p^2 log(1/(1 - p)) of background, p = sigmoid(log 3) = 3/4.
  const Var z(Tensor::full({2}, std::log(3.0), DType::f64)), t(Tensor::from(std::vector<double>{1, 0}, {2}));
  const double want = 0.25 * std::log(4.0 / 3) / 16 + 0.75 * 9 / 16 * std::log(4.0);
  CHECK(focal_loss(z, t, Var(Tensor::full({2}, 1, DType::f64)), {.gamma = 2, .alpha = 0.25}).value().item() == Approx(want));
  const Var far(Tensor::from(std::vector<float>{-1e4f, 1e4f, 88, -88}, {4})), none(Tensor::zeros({4})), all(Tensor::full({4}, 1));
  CHECK(std::isfinite(focal_loss(far, none, all).value().item()));
  CHECK(fails_with([&] { focal_loss(z, t, t, {.gamma = 0.5}); }, "gamma: expected 0, or at least 1"));
}

TEST_CASE("box_loss") {
  const Tensor a = boxes(40, 1), b = boxes(40, 7), weight = uniform({40}, 0.1, 2, 3);
  for (const BoxLoss kind : {BoxLoss::iou, BoxLoss::giou, BoxLoss::diou})
    check_op(
        "box_loss", [&](const Vars& v) { return Vars{box_loss(v[0], v[1], v[2], kind)}; }, {a, b, weight},
        {.fixed = {1, 2}, .batch_mixing = true, .conditioning = 16, .bad = {{{{2, 3}, {2, 3}, {2}}, "expected boxes (R, 4)"}}});
}

TEST_CASE("box_loss: the papers' formulas by hand") {
  const std::vector<double> a{0, 0, 4, 2}, b{2, 0, 6, 4};  // both 4, either 20, hull 24
  CHECK(loss_of(a, b, BoxLoss::iou) == Approx(1 - 0.2));
  CHECK(loss_of(a, b, BoxLoss::giou) == Approx(1 - 0.2 + 4.0 / 24));
  CHECK(loss_of(a, b, BoxLoss::diou) == Approx(1 - 0.2 + 5.0 / 52));
  const double v = 4 / (std::numbers::pi * std::numbers::pi) * std::pow(std::atan(1.0) - std::atan(2.0), 2);
  CHECK(loss_of(a, b, BoxLoss::ciou) == Approx(1 - 0.2 + 5.0 / 52 + v * v / (1 - 0.2 + v)));
  for (const BoxLoss kind : {BoxLoss::iou, BoxLoss::giou, BoxLoss::diou, BoxLoss::ciou}) {
    CHECK(loss_of(a, a, kind) == Approx(0).margin(1e-12));
    CHECK(std::isfinite(loss_of({1, 1, 1, 1}, {1, 1, 1, 1}, kind)));
    CHECK(std::isfinite(loss_of({1, 1, 1, 1}, b, kind)));
  }
  CHECK(loss_of({0, 0, 1, 1}, {5, 5, 6, 6}, BoxLoss::giou) == Approx(1 + 34.0 / 36));
}

TEST_CASE("box_loss: the factor of ciou's penalty counts as a constant") {
  const std::vector<double> target{0, 0, 4, 2};
  const auto gradient = [&](BoxLoss kind) {
    const Var box(Tensor::from(std::vector<double>{1, 0.5, 3, 4}, {1, 4}), true);
    box_loss(box, Var(Tensor::from(target, {1, 4})), Var(Tensor::full({1}, 1, DType::f64)), kind).backward();
    return box.grad().values();
  };
  // ciou - diou = alpha v with alpha held: its slope is that of v, which central differences of atan give.
  const std::vector<double> with = gradient(BoxLoss::ciou), without = gradient(BoxLoss::diou);
  const auto v_of = [&](const std::vector<double>& b) {
    const double d = std::atan(4.0 / 2) - std::atan((b[2] - b[0]) / (b[3] - b[1]));
    return 4 / (std::numbers::pi * std::numbers::pi) * d * d;
  };
  const std::vector<double> box{1, 0.5, 3, 4};
  const double iou = 3.0 / 12, v = v_of(box), alpha = v / (1 - iou + v);
  for (std::size_t i = 0; i < 4; ++i) {
    std::vector<double> up = box, down = box;
    up[i] += 1e-6, down[i] -= 1e-6;
    CHECK(with[i] - without[i] == Approx(alpha * (v_of(up) - v_of(down)) / 2e-6).margin(1e-8));
  }
}
