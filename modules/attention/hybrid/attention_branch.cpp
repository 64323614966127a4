#include "modules/attention/hybrid/attention_branch.hpp"

#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"

namespace fovea {

AttentionBranch::AttentionBranch(const Scope& s, std::int64_t c, std::int64_t k)
    : MapBlock(s),
      k1_(s / "k1",
          {.in = c, .out = c, .kernel = k, .pad = k / 2, .bias = false, .activation = Activation::leaky_relu, .slope = 0.2}),
      k2_(s / "k2", {.in = c, .out = c, .activation = Activation::sigmoid}),
      k3_(s / "k3", {.in = c, .out = c, .kernel = k, .pad = k / 2, .bias = false}),
      k4_(s / "k4", {.in = c, .out = c, .kernel = k, .pad = k / 2, .bias = false}) {}

Var AttentionBranch::forward(const Var& x) const {
  const Var gate = tap("gate", k2_(k1_(x)));
  return k4_(k3_(x) * gate);
}

FOVEA_BLOCK(attention_branch, "pixel gate on a branch of convolutions", "Chen et al. 2021, arXiv:2104.09497") {
  const int kernel = args.get("kernel", 3, "side of k1, k3 and k4, odd");
  check(kernel % 2 == 1, "attention_branch: kernel must be odd, got ", kernel);
  return std::make_unique<AttentionBranch>(scope, channels, kernel);
}

}  // namespace fovea
