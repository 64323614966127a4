// Gated channel transformation: y = x * (1 + tanh(e * n + beta)). Yang et al. 2020, arXiv:1909.11519.
//   l2: e = alpha sqrt(sum_HW x^2 + eps), n = gamma / sqrt(mean_C e^2 + eps)
//   l1: e = alpha sum_HW |x|,             n = gamma / (mean_C |e| + eps)
// Parameters alpha, gamma, beta (1 x C x 1 x 1), at first 1, 0, 0: the identity. Tap "channel": N x C x 1 x 1, in (0, 2).
#include "modules/nn/layers.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/global_sums.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

class Gct final : public MapBlock {
 public:
  Gct(const Scope& s, std::int64_t c, double eps, bool l2, bool after_relu)
      : MapBlock(s),
        alpha_(s.param("alpha", {1, c, 1, 1}, init::ones())),
        gamma_(s.param("gamma", {1, c, 1, 1}, init::zeros())),
        beta_(s.param("beta", {1, c, 1, 1}, init::zeros())),
        eps_(eps),
        l2_(l2),
        after_relu_(after_relu) {}

 protected:
  Var forward(const Var& x) const override {
    const Var e = embedding(x) * alpha_;
    return x * tap("channel", scale(tanh(e * (gamma_ / size(e)) + beta_), 1, 1));
  }

 private:
  Var embedding(const Var& x) const {
    if (l2_) return sqrt(scale(global_sum_squares(x), 1, eps_));
    return after_relu_ ? sum(x, {2, 3}) : global_sum_abs(x);
  }
  Var size(const Var& e) const {
    if (l2_) return sqrt(scale(mean(e * e, {1}), 1, eps_));
    return scale(mean(maximum(e, neg(e)), {1}), 1, eps_);
  }

  Var alpha_, gamma_, beta_;
  double eps_;
  bool l2_, after_relu_;
};

}  // namespace

FOVEA_BLOCK(gct, "channels compete by their norms; the identity at first", "Yang et al. 2020, arXiv:1909.11519") {
  const std::string mode = args.get("mode", "l2", "norm of a channel: l2 or l1");
  const double eps = args.get("eps", 1e-5, "keeps the divisions finite");
  const bool after_relu = args.get("after_relu", false, "l1 only: the map has no negative values");
  check(mode == "l2" || mode == "l1", "gct: expected mode l2 or l1, got '", mode, "'");
  check(eps > 0, "gct: expected eps > 0, got ", eps);
  return std::make_unique<Gct>(scope, channels, eps, mode == "l2", after_relu);
}

}  // namespace fovea
