// Attention gate in the popular form: psi = sigmoid(BN(conv(relu(BN(W_g g) + BN(W_x x))))), y = x psi, all 1x1 convolutions with bias;
// g has x's height and width. After Oktay et al. 2018, arXiv:1804.03999 (see grid_attention_gate for the authors' form).
// Inputs x, g. Parameters W_g.{0, 1}, W_x.{0, 1}, psi.{0, 1}: convolution, batch norm. Tap "spatial": N x 1 x H x W in (0, 1).
#include <algorithm>

#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

class AttentionGate final : public Block {
 public:
  AttentionGate(const Scope& s, std::int64_t c, std::int64_t gate, std::int64_t inner)
      : Block(s),
        gate_(s / "W_g" / 0, {.in = gate, .out = inner}),
        gate_norm_(s / "W_g" / 1, inner),
        map_(s / "W_x" / 0, {.in = c, .out = inner}),
        map_norm_(s / "W_x" / 1, inner),
        psi_(s / "psi" / 0, {.in = inner, .out = 1}),
        psi_norm_(s / "psi" / 1, 1) {}

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 2, "expected a map and its gating map, got ", in.size(), " values");
    const Var &x = in[0], &g = in[1];
    check(g.dim(2) == x.dim(2) && g.dim(3) == x.dim(3), "expected a gating map of ", x.dim(2), "x", x.dim(3), ", got ", g.dim(2),
          "x", g.dim(3), "; grid_attention_gate takes one of any size");
    const Var f = relu(gate_norm_(gate_(g)) + map_norm_(map_(x)));
    return {x * tap("spatial", sigmoid(psi_norm_(psi_(f))))};
  }

 private:
  Conv2d gate_;
  BatchNorm2d gate_norm_;
  Conv2d map_;
  BatchNorm2d map_norm_;
  Conv2d psi_;
  BatchNorm2d psi_norm_;
};

}  // namespace

FOVEA_GATE_BLOCK(attention_gate, "a map gated by a coarser level's, brought to its size", "Oktay et al. 2018, arXiv:1804.03999") {
  const int gate = args.get("gate_channels", 0, "channels of the gating map; 0: as the map's");
  const int inner = args.get("inter_channels", 0, "channels where the two are added; 0: half the map's");
  check(gate >= 0 && inner >= 0, "attention_gate: expected gate_channels and inter_channels 0 or more, got ", gate, " and ",
        inner);
  return std::make_unique<AttentionGate>(scope, channels, gate > 0 ? gate : channels,
                                         inner > 0 ? inner : std::max<std::int64_t>(1, channels / 2));
}

}  // namespace fovea
