// Effective squeeze-and-excitation: y = x * hard_sigmoid(fc mean_HW x), fc from C to C so that nothing is lost in a squeeze.
// Lee and Park 2020, arXiv:1911.06667. Parameters fc.weight, fc.bias. Tap "channel": N x C x 1 x 1.
#include "modules/nn/gate_mlp.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/reshape.hpp"

namespace fovea {
namespace {

class EffectiveSe final : public MapBlock {
 public:
  EffectiveSe(const Scope& s, std::int64_t c, const std::string& squeezed, Ties ties, const std::string& gate)
      : MapBlock(s),
        fc_(s / "fc", {.in = c, .out = c}),
        squeeze_(squeeze(squeezed, s.path(), ties)),
        gate_(activation(gate, s.path())) {}

 protected:
  Var forward(const Var& x) const override {
    const Var z = fc_(reshape(squeeze_(x), {x.dim(0), x.dim(1)}));
    return x * tap("channel", gate_(reshape(z, {z.dim(0), z.dim(1), 1, 1})));
  }

 private:
  Linear fc_;
  Pointwise squeeze_, gate_;
};

}  // namespace

FOVEA_BLOCK(effective_se, "a gate for every channel from one full layer", "Lee and Park 2020, arXiv:1911.06667") {
  const std::string squeezed = args.get("squeeze", "avg", "what a channel is squeezed to: avg, max, avg_max, lp or lse");
  const std::string gate = args.get("gate", "hard_sigmoid", "hard_sigmoid, sigmoid or another activation");
  return std::make_unique<EffectiveSe>(scope, channels, squeezed, read_ties(args, "effective_se"), gate);
}

}  // namespace fovea
