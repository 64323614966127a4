#include "pipeline/tasks/retrieve/loss.hpp"

#include <algorithm>
#include <cmath>

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/tensors.hpp"

using namespace fovea;

TEST_CASE("triplets: the hinge over the hardest or all others; a picture that comes twice is no negative of itself") {
  constexpr std::int64_t n = 5;
  const Tensor s = test::random_tensor({n, n}, 4).to(DType::f32);
  const std::vector<double> v = s.values();
  const std::vector<std::int64_t> pictures{7, 8, 7, 9, 10};
  for (const bool hardest : {true, false}) {
    double expected = 0;
    for (std::int64_t i = 0; i < n; ++i)
      for (const bool texts : {true, false}) {
        double all = 0, worst = 0;
        for (std::int64_t j = 0; j < n; ++j) {
          if (pictures[static_cast<std::size_t>(i)] == pictures[static_cast<std::size_t>(j)]) continue;
          const double other = texts ? v[static_cast<std::size_t>(i * n + j)] : v[static_cast<std::size_t>(j * n + i)];
          const double cost = std::max(0.0, 0.3 - v[static_cast<std::size_t>(i * n + i)] + other);
          all += cost, worst = std::max(worst, cost);
        }
        expected += hardest ? worst : all;
      }
    const Var loss = triplet_loss(Var(s), Tensor::from(pictures, {n}), {.margin = 0.3, .hardest = hardest});
    CHECK(std::abs(loss.value().item() - expected / n) < 1e-5);  // some forty roundings of numbers up to 10
  }
  CHECK(test::fails_with([&] { triplet_loss(Var(s), Tensor::from(std::vector<std::int64_t>{1}, {1}), {}); }, "N pictures"));
}
