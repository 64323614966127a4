// Linear attention mechanism over the positions: with q^ and k^ of length one,
//   y_i = x_i + gamma (sum_j v_j + q^_i . sum_j k^_j v_j^T) / (L + q^_i . (sum_j k^_j + eps)),
// the first-order expansion of a softmax, of linear cost. Li et al. 2020, arXiv:2007.14902; MAResU-Net, arXiv:2011.14302.
// Parameters gamma (1), query_conv, key_conv, value_conv: weight, bias. Tap "spatial": N x 1 x H x W, what each position received on
// average over the queries.
#include <algorithm>

#include "modules/attention/self/tokens.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/l2_normalize.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

class LamPosition final : public MapBlock {
 public:
  LamPosition(const Scope& s, std::int64_t c, std::int64_t inner, double eps)
      : MapBlock(s),
        gamma_(s.param("gamma", {1}, init::zeros())),
        query_(s / "query_conv", {.in = c, .out = inner}),
        key_(s / "key_conv", {.in = c, .out = inner}),
        value_(s / "value_conv", {.in = c, .out = c}),
        eps_(eps) {}

 protected:
  Var forward(const Var& x) const override {
    const Var q = l2_normalize(to_tokens(query_(x)), 2), k = l2_normalize(to_tokens(key_(x)), 2), v = to_tokens(value_(x));
    const double positions = static_cast<double>(v.dim(1));
    const Var divisor = scale(matmul(q, transposed(scale(sum(k, {1}), 1, eps_))), 1, positions);
    const Var y = (sum(v, {1}) + matmul(q, matmul(transposed(k), v))) / divisor;
    if (wants_tap("spatial")) {
      const Var share = scale(pow(divisor, -1), 1 / positions);
      const Var received = sum(share, {1}) + matmul(k, transposed(sum(q * share, {1})));
      tap("spatial", to_map(received, x.dim(2), x.dim(3)));
    }
    return x + gamma_ * to_map(y, x.dim(2), x.dim(3));
  }

 private:
  Var gamma_;
  Conv2d query_, key_, value_;
  double eps_;
};

}  // namespace

FOVEA_BLOCK(lam_position, "every position attends to every other at linear cost", "Li et al. 2020, arXiv:2007.14902") {
  const int reduction = args.get("reduction", 8, "channel squeeze of queries and keys");
  check(reduction > 0, "lam_position: expected reduction above 0, got ", reduction);
  const double eps = args.get("eps", 1e-6, "added to each component of the keys' sum");
  return std::make_unique<LamPosition>(scope, channels, std::max<std::int64_t>(1, channels / reduction), eps);
}

}  // namespace fovea
