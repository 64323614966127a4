// Kernel attention of MANet: y_i = x_i + gamma phi(q_i) sum_j phi(k_j) v_j^T / (phi(q_i) . (sum_j phi(k_j) + eps)), phi = softplus.
// Linear cost. Li et al. 2020, arXiv:2009.02130.
// Parameters gamma (1), query_conv, key_conv, value_conv: weight, bias. Tap "spatial": N x 1 x H x W, what each position received on
// average over the queries.
#include <algorithm>

#include "modules/attention/self/features.hpp"
#include "modules/attention/self/linear_product.hpp"
#include "modules/attention/self/tokens.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"

namespace fovea {
namespace {

class KernelAttention final : public MapBlock {
 public:
  KernelAttention(const Scope& s, std::int64_t c, std::int64_t inner, double eps, const std::string& feature)
      : MapBlock(s),
        gamma_(s.param("gamma", {1}, init::zeros())),
        query_(s / "query_conv", {.in = c, .out = inner}),
        key_(s / "key_conv", {.in = c, .out = inner}),
        value_(s / "value_conv", {.in = c, .out = c}),
        feature_(feature_map(feature)),
        options_{.inner_eps = eps} {}

 protected:
  Var forward(const Var& x) const override {
    const Var q = feature_(split_heads(to_tokens(query_(x)), 1)), k = feature_(split_heads(to_tokens(key_(x)), 1));
    const Var y = linear_product(q, k, split_heads(to_tokens(value_(x)), 1), options_);
    if (wants_tap("spatial")) tap("spatial", reshape(linear_received(q, k, options_), {x.dim(0), 1, x.dim(2), x.dim(3)}));
    return x + gamma_ * to_map(join_heads(y), x.dim(2), x.dim(3));
  }

 private:
  Var gamma_;
  Conv2d query_, key_, value_;
  FeatureMap feature_;
  LinearProduct options_;
};

}  // namespace

FOVEA_BLOCK(kernel_attention, "every position attends to every other by a kernel, at linear cost",
            "Li et al. 2020, arXiv:2009.02130") {
  const int reduction = args.get("reduction", 8, "channel squeeze of queries and keys");
  check(reduction > 0, "kernel_attention: expected reduction above 0, got ", reduction);
  const double eps = args.get("eps", 1e-6, "added to each component of the keys' sum");
  const std::string feature = args.get("feature", "softplus", "feature map: softplus, elu (elu + 1), relu, exp");
  return std::make_unique<KernelAttention>(scope, channels, std::max<std::int64_t>(1, channels / reduction), eps, feature);
}

}  // namespace fovea
