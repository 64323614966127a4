// Linear attention mechanism over the channels: with x^ the positions' vectors of length one (over channels), L positions,
//   y_c = x_c + gamma (sum_m x_m + sum_m (sum_n x_cn x^_mn) x^_m) / (L + sum_n x^_cn (sum_m x^_mn + eps)).
// Li et al. 2020, arXiv:2007.14902, with the published code's constant L. Parameter gamma (1).
// Tap "attention": N x 1 x C x C, sum_n x_cn x^_mn over the divisor: how much of x^_m goes into y_c; may be negative.
#include "modules/attention/self/tokens.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/l2_normalize.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

class LamChannel final : public MapBlock {
 public:
  LamChannel(const Scope& s, double eps) : MapBlock(s), gamma_(s.param("gamma", {1}, init::zeros())), eps_(eps) {}

 protected:
  Var forward(const Var& x) const override {
    const Var v = to_tokens(x), unit = l2_normalize(v, 2);
    const double positions = static_cast<double>(v.dim(1));
    const Var divisor = scale(sum(unit * scale(sum(unit, {2}), 1, eps_), {1}), 1, positions);
    const Var products = matmul(transposed(unit), v);  // N x C x C, [m][c]
    if (wants_tap("attention")) tap("attention", reshape(transposed(products / divisor), {x.dim(0), 1, x.dim(1), x.dim(1)}));
    const Var y = (sum(v, {2}) + matmul(unit, products)) / divisor;
    return x + gamma_ * to_map(y, x.dim(2), x.dim(3));
  }

 private:
  Var gamma_;
  double eps_;
};

}  // namespace

FOVEA_BLOCK(lam_channel, "every channel attends to every other at linear cost", "Li et al. 2020, arXiv:2007.14902") {
  return std::make_unique<LamChannel>(scope, args.get("eps", 1e-6, "added to each component of the sum"));
}

}  // namespace fovea
