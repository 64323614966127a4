#include "modules/attention/self/head_drop.hpp"

#include <algorithm>

#include "modules/nn/registry.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/binary.hpp"

namespace fovea {

Var keep_heads(const Var& x, const std::vector<bool>& alive) {
  const auto heads = static_cast<std::int64_t>(alive.size());
  check(x.shape().rank() >= 2 && x.dim(1) == heads, "head_drop: expected N x ", heads, " heads x ..., got ", x.shape());
  const auto left = std::count(alive.begin(), alive.end(), true);
  Shape shape{1, heads};
  while (shape.rank() < x.shape().rank()) shape.push_back(1);
  std::vector<float> factors;
  for (const bool lives : alive) factors.push_back(lives ? static_cast<float>(heads) / static_cast<float>(left) : 0.0f);
  return x * Var(Tensor::from(factors, shape));
}

Var head_drop(const Var& x, double probability) {
  if (!Training::active() || probability <= 0) return x;
  std::vector<bool> alive;
  for (std::int64_t h = 0; h < x.dim(1); ++h) alive.push_back(Training::random().uniform() >= probability);
  return keep_heads(x, alive);
}

namespace {

class HeadDrop final : public Block {
 public:
  HeadDrop(const Scope& s, double probability) : Block(s), probability_(probability) {}

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 1, "head_drop: expected one value, got ", in.size());
    return {head_drop(in[0], probability_)};
  }

 private:
  double probability_;
};

}  // namespace

FOVEA_PART(head_drop, "leaves out whole heads in training", "Inaguma et al. 2020, arXiv:2005.09394") {
  const double probability = args.get("probability", 0.5, "share of the heads that are left out");
  check(probability >= 0 && probability < 1, "head_drop: expected a probability in [0, 1), got ", probability);
  return std::make_unique<HeadDrop>(scope, probability);
}

}  // namespace fovea
