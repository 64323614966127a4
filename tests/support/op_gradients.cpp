// Gradients: along random directions, and summed over two backwards.
#include <algorithm>
#include <cmath>

#include "tests/support/catch.hpp"
#include "tests/support/op_harness.hpp"

namespace fovea::test {
namespace {

Tensor moved(const Tensor& x, const Tensor& direction, double h) {
  auto a = x.values();
  const auto b = direction.values();
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += h * b[i];
  return Tensor::from(a, x.shape()).contiguous(x.layout());
}

}  // namespace

// (L(x + hv) - L(x - hv)) / 2h: the third derivative costs h^2, rounding eps |L| / h; both are about 1e-10 at h = 1e-5. The
// point is shifted off the bf16 grid first, where ties of a maximum and kinks at round numbers would be; where a kink still
// lies within the step a smaller one steps over it. A wrong gradient is wrong at every step.
void OpHarness::directions() const {
  Tensors point = inputs_;
  for (std::size_t i = 0; i < point.size(); ++i)
    if (wants_gradient(i)) point[i] = moved(point[i], random_tensor(point[i].shape(), 500 + i), 1e-3);
  const OpResult at = run(point, DType::f64);
  for (std::uint64_t d = 0; d < 8; ++d) {
    INFO("direction " << d);
    Tensors direction(point.size());
    double along = 0, size = 0;
    for (std::size_t i = 0; i < point.size(); ++i) {
      if (!wants_gradient(i)) continue;
      direction[i] = random_tensor(point[i].shape(), 1000 + 16 * d + i);
      REQUIRE(at.gradients[i].defined());
      const auto g = at.gradients[i].values(), w = direction[i].values();
      for (std::size_t j = 0; j < g.size(); ++j) along += g[j] * w[j], size += std::abs(g[j] * w[j]);
    }
    double best = INFINITY;  // the error in units of what is allowed
    for (const double step : {1e-5, 1e-6, 1e-7}) {
      if (best <= 1) break;
      Tensors plus = point, minus = point;
      for (std::size_t i = 0; i < point.size(); ++i)
        if (direction[i].defined())
          plus[i] = moved(point[i], direction[i], step), minus[i] = moved(point[i], direction[i], -step);
      const double high = loss(plus), difference = (high - loss(minus)) / (2 * step);
      const double allowed = 1e-7 * size * o_.conditioning + 1e-15 * (std::abs(high) + size) / step + 1e-10;
      best = std::min(best, std::abs(difference - along) / allowed);
    }
    CHECK(best <= 1);
  }
}

// A rerun gives the same bits, so the sum of two is exactly twice one.
void OpHarness::repeated_backward() const {
  INFO("backward twice");
  const OpResult once = run(DType::f32);
  Vars in = leaves(inputs_, DType::f32);
  backward(f_(in));
  for (std::size_t i = 0; i < in.size(); ++i)
    if (in[i].requires_grad() && in[i].grad().defined()) CHECK(same_bits(in[i].grad(), once.gradients[i]));
  backward(f_(in));
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (!once.gradients[i].defined()) continue;
    auto twice = once.gradients[i].values();
    for (double& v : twice) v *= 2;
    CHECK(in[i].grad().values() == twice);
  }
}

}  // namespace fovea::test
