#include "modules/nn/region_losses.hpp"

#include <cmath>

#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

Tensor between(double low, double high, const Shape& shape, std::uint64_t seed) {
  Tensor t = Tensor::empty(shape, DType::f64);
  Random(seed).fill_uniform(t, low, high);
  return t;
}

// Half the entries, by a fixed pattern.
Tensor some(const Shape& shape) {
  std::vector<double> v(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = i * 7 % 5 < 2 ? 1 : 0;
  return Tensor::from(v, shape);
}

// The gradient along random directions against central differences.
void check_gradient(const std::function<Var(const Var&)>& loss, const Tensor& x, double tolerance) {
  Var v(x, true);
  loss(v).backward();
  const std::vector<double> gradient = v.grad().values();
  constexpr double kStep = 1e-6;
  for (std::uint64_t k = 0; k < 8; ++k) {
    const std::vector<double> d = between(-1, 1, x.shape(), 100 + k).values();
    std::vector<double> up = x.values(), down = up;
    double along = 0;
    for (std::size_t i = 0; i < d.size(); ++i) up[i] += kStep * d[i], down[i] -= kStep * d[i], along += gradient[i] * d[i];
    const double real =
        (loss(Var(Tensor::from(up, x.shape()))).value().item() - loss(Var(Tensor::from(down, x.shape()))).value().item()) /
        (2 * kStep);
    CHECK(along == Approx(real).epsilon(tolerance).margin(1e-9));
  }
}

}  // namespace

TEST_CASE("tversky_loss") {
  const Shape shape{2, 3, 5, 7};
  const Tensor p = between(0.05, 0.95, shape, 1), t = some(shape);
  for (const TverskyOptions& o : {TverskyOptions{}, TverskyOptions{.alpha = 0.5, .beta = 0.5, .exponent = 1},
                                  TverskyOptions{.class_weights = Tensor::from(std::vector<double>{1, 0, 2}, {3})}})
    check_gradient([&](const Var& v) { return tversky_loss(v, Var(t), o); }, p, 1e-6);
  // One sample of one class by hand: tp 1.4, fp 0.3, fn 0.6.
  const Var hand(Tensor::from(std::vector<double>{0.9, 0.5, 0.3}, {1, 1, 1, 3})),
      truth(Tensor::from(std::vector<double>{1, 1, 0}, {1, 1, 1, 3}));
  const double index = (1.4 + 1) / (1.4 + 0.3 * 0.3 + 0.7 * 0.6 + 1);
  CHECK(tversky_loss(hand, truth, {.exponent = 1}).value().item() == Approx(1 - index));
  CHECK(tversky_loss(hand, truth, {.exponent = 0.75}).value().item() == Approx(std::pow(1 - index, 0.75)));
  CHECK(tversky_loss(truth, truth, {.exponent = 1}).value().item() == Approx(0).margin(1e-12));
  CHECK(fails_with([&] { tversky_loss(hand, Var(Tensor::zeros({1, 1, 3, 1}, DType::f64))); }, "expected a target"));
  CHECK(fails_with([&] { tversky_loss(hand, truth, {.class_weights = Tensor::full({2}, 1)}); }, "expected 1 class weights"));
}

TEST_CASE("soft skeletons and cl_dice_loss") {
  // A bar three rows thick becomes its middle row.
  std::vector<double> bar(9 * 15, 0), line = bar;
  for (std::size_t x = 2; x < 13; ++x)
    for (std::size_t y = 3; y < 6; ++y) bar[y * 15 + x] = 1;
  const Var thick(Tensor::from(bar, {1, 1, 9, 15}));
  const std::vector<double> skeleton = soft_skeleton(thick, 3).value().values();
  for (std::size_t x = 3; x < 12; ++x) {
    CHECK(skeleton[4 * 15 + x] == Approx(1));
    CHECK(skeleton[3 * 15 + x] == Approx(0).margin(1e-12));
  }
  for (std::size_t x = 2; x < 13; ++x) line[4 * 15 + x] = 1;
  const Var thin(Tensor::from(line, {1, 1, 9, 15})), nothing(Tensor::zeros({1, 1, 9, 15}, DType::f64));
  CHECK(cl_dice_loss(thick, thick).value().item() == Approx(0).margin(1e-9));
  // A vessel's width does not count, its being there does.
  CHECK(cl_dice_loss(thin, thick).value().item() < 0.05);
  CHECK(cl_dice_loss(nothing, thick).value().item() > 0.8);
  const Shape shape{1, 2, 8, 9};
  check_gradient([&](const Var& v) { return cl_dice_loss(v, Var(some(shape)), 2); }, between(0.05, 0.95, shape, 5), 1e-5);
  CHECK(fails_with([&] { cl_dice_loss(thick, thick, 0); }, "at least one iteration"));
}

TEST_CASE("boundary_loss") {
  const Shape shape{2, 2, 4, 5};
  const Tensor p = between(0, 1, shape, 2), d = between(-3, 3, shape, 3);
  check_gradient([&](const Var& v) { return boundary_loss(v, Var(d)); }, p, 1e-7);
  double sum = 0;
  for (std::size_t i = 0; i < 80; ++i) sum += p.values()[i] * d.values()[i];
  CHECK(boundary_loss(Var(p), Var(d)).value().item() == Approx(sum / 80));
}
