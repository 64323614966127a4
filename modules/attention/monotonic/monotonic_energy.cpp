// The energy of monotonic attention, Raffel et al. 2017, arXiv:1704.00784: e_j = g v / |v| . tanh(W h_j + V s + b) + r, with r =
// -4 at first, so that attention is spread out, and g = 1 / sqrt(width). As j-min's Energy, for batches of any size.
// Inputs: entries N x S x E, states N x D or N x L x D. Result N x S or N x L x S; the probability of choosing an entry is its
// sigmoid, tap "attention" (N x 1 x L x S). Parameters W.weight, V.weight, b, v.weight_g, v.weight_v, v.bias, r.
#include "modules/attention/monotonic/normed.hpp"
#include "modules/nn/layers.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/reshape.hpp"

namespace fovea {
namespace {

class MonotonicEnergy final : public Block {
 public:
  MonotonicEnergy(const Scope& s, std::int64_t entries, std::int64_t state, std::int64_t width, double r)
      : Block(s),
        w_(s / "W", {.in = entries, .out = width, .bias = false}),
        v_(s / "V", {.in = state, .out = width, .bias = false}),
        b_(s.param("b", {width}, init::normal(0, 1))),
        score_(s / "v", width, 1, true),
        r_(s.param("r", {1}, init::constant(r))) {}

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 2 && in[0].shape().rank() == 3 && in[1].shape().rank() >= 2 && in[1].shape().rank() <= 3 &&
              in[0].dim(0) == in[1].dim(0),
          "expected entries N x S x E and states N x D or N x L x D");
    const bool one = in[1].shape().rank() == 2;
    const std::int64_t n = in[0].dim(0), s = in[0].dim(1), l = one ? 1 : in[1].dim(1), width = b_.dim(0);
    const Var entries = reshape(w_(in[0]), {n, 1, s, width}), states = reshape(v_(in[1]), {n, l, 1, width});
    const Var e = reshape(score_(tanh(entries + states + b_)), {n, l, s}) + r_;
    if (wants_tap("attention")) tap("attention", reshape(sigmoid(e), {n, 1, l, s}));
    return {one ? reshape(e, {n, s}) : e};
  }

 private:
  Linear w_, v_;
  Var b_;
  NormedLinear score_;
  Var r_;
};

}  // namespace

FOVEA_SEQUENCES(monotonic_energy, "scores of the entries that a reader may stop at", "Raffel et al. 2017, arXiv:1704.00784") {
  const int state = args.get("dec_dim", static_cast<int>(channels), "width of the states");
  const int width = args.get("att_dim", static_cast<int>(channels), "width of the network that scores");
  const double r = args.get("init_r", -4.0, "r at first");
  check(state > 0 && width > 0, "monotonic_energy: expected dec_dim and att_dim >= 1, got ", state, " and ", width);
  return std::make_unique<MonotonicEnergy>(scope, channels, state, width, r);
}

}  // namespace fovea
