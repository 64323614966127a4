#include "pipeline/tasks/retrieve/loss.hpp"

#include "modules/ops/binary.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {

Var triplet_loss(const Var& similarities, const Tensor& pictures, const TripletOptions& o) {
  const std::int64_t n = similarities.dim(0);
  check(similarities.shape() == Shape{n, n} && pictures.size() == n, "triplet: expected similarities N x N and N pictures, got ",
        similarities.shape(), " and ", pictures.size());
  Tensor pairs = Tensor::zeros({n, n}), others = Tensor::zeros({n, n});
  const std::int64_t* number = pictures.data<std::int64_t>();
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      pairs.data<float>()[i * n + j] = i == j;
      others.data<float>()[i * n + j] = number[i] != number[j];
    }
  const Var own = similarities * Var(pairs);
  const auto over = [&](int axis) {  // the other texts of each picture, or the other pictures of each text
    const Var cost = relu(scale(similarities - sum(own, {axis}), 1, o.margin)) * Var(others);
    return sum(o.hardest ? max(cost, {axis}) : cost, {0, 1}, false);
  };
  return scale(over(0) + over(1), 1 / static_cast<double>(n));
}

}  // namespace fovea
