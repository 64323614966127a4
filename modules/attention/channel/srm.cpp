// Style-based recalibration: y = x * sigmoid(bn(cfc_0 * mean_HW x + cfc_1 * std_HW x)), channel by channel, the variance divided by
// HW - 1. Lee et al. 2019, arXiv:1903.10829. Parameters cfc (C x 2, at first 0), bn.*. Tap "channel": N x C x 1 x 1.
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/global_std.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

class Srm final : public MapBlock {
 public:
  Srm(const Scope& s, std::int64_t c, double eps, bool unbiased)
      : MapBlock(s), cfc_(s.param("cfc", {c, 2}, init::zeros())), bn_(s / "bn", c), eps_(eps), unbiased_(unbiased) {}

 protected:
  Var forward(const Var& x) const override {
    const Var z = global_avg_pool(x) * weight(0) + global_std_pool(x, eps_, unbiased_) * weight(1);
    return x * tap("channel", sigmoid(bn_(z)));
  }

 private:
  Var weight(std::int64_t style) const { return reshape(slice(cfc_, 1, style, style + 1), {1, cfc_.dim(0), 1, 1}); }

  Var cfc_;
  BatchNorm2d bn_;
  double eps_;
  bool unbiased_;
};

}  // namespace

FOVEA_BLOCK(srm, "a gate for every channel from its mean and standard deviation", "Lee et al. 2019, arXiv:1903.10829") {
  const double eps = args.get("eps", 1e-5, "added to the variance");
  const bool unbiased = args.get("unbiased", true, "the variance divided by HW - 1, not HW");
  check(eps > 0, "srm: expected eps > 0, got ", eps);
  return std::make_unique<Srm>(scope, channels, eps, unbiased);
}

}  // namespace fovea
