// Grid attention gate, the authors' form: f = relu(theta(x) + resize(phi(g))) on a grid coarser than x by the sub-sampling factor,
// a = resize(sigmoid(psi(f))) at x's size, y = BN(conv(x a)); resizing is bilinear with half-pixel corners.
//   concatenation           as above
//   concatenation_debug     softplus instead of relu
//   concatenation_residual  softmax over the grid instead of sigmoid
// Oktay et al. 2018, arXiv:1804.03999; Attention-Gated-Networks. Inputs x, g; g may have any height and width.
// Parameters theta.weight (I x C x f x f, no bias), phi, psi: weight, bias; W.{0, 1}: convolution, batch norm.
// Tap "spatial": N x 1 x H x W in (0, 1).
#include <algorithm>

#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/resize.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

struct Options {
  std::int64_t gate = 0, inner = 0;
  std::string mode;
  std::array<std::int64_t, 2> factor{};
};

class GridAttentionGate final : public Block {
 public:
  GridAttentionGate(const Scope& s, std::int64_t c, const Options& o)
      : Block(s),
        options_(o),
        theta_((s / "theta").param("weight", {o.inner, c, o.factor[0], o.factor[1]}, init::kaiming_normal())),
        phi_(s / "phi", {.in = o.gate, .out = o.inner, .init = init::kaiming_normal()}),
        psi_(s / "psi", {.in = o.inner, .out = 1, .init = init::kaiming_normal()}),
        out_(s / "W" / 0, {.in = c, .out = c, .init = init::kaiming_normal()}),
        // As the authors' initialisation has it.
        norm_((s / "W" / 1).starting("weight", {c}, init::normal(1, 0.02)), c) {}

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 2, "expected a map and its gating map, got ", in.size(), " values");
    const Var& x = in[0];
    const auto missing = [&](std::size_t a) {
      return std::max<std::int64_t>(0, options_.factor[a] - x.dim(static_cast<int>(a) + 2));
    };
    // A map smaller than one cell of the grid is filled up with zeros.
    const Var grid = conv2d(x, theta_, {}, {.stride = options_.factor, .pad_end = {missing(0), missing(1)}});
    const Var sum = grid + sized(phi_(in[1]), grid.dim(2), grid.dim(3));
    const Var logits = psi_(options_.mode == "concatenation_debug" ? softplus(sum) : relu(sum));
    const Var gate = tap("spatial", sized(squashed(logits), x.dim(2), x.dim(3)));
    return {norm_(out_(x * gate))};
  }

 private:
  static Var sized(const Var& v, std::int64_t height, std::int64_t width) {
    return v.dim(2) == height && v.dim(3) == width ? v : resize(v, height, width, Resize::bilinear);
  }
  Var squashed(const Var& logits) const {
    if (options_.mode != "concatenation_residual") return sigmoid(logits);
    return reshape(softmax(reshape(logits, {logits.dim(0), -1}), 1), logits.shape());
  }

  Options options_;
  Var theta_;
  Conv2d phi_, psi_, out_;
  BatchNorm2d norm_;
};

}  // namespace

FOVEA_GATE_BLOCK(grid_attention_gate, "a map gated on a grid by a coarser level's", "Oktay et al. 2018, arXiv:1804.03999") {
  Options o;
  const int gate = args.get("gate_channels", 0, "channels of the gating map; 0: as the map's");
  const int inner = args.get("inter_channels", 0, "channels where the two are added; 0: half the map's");
  check(gate >= 0 && inner >= 0, "grid_attention_gate: expected gate_channels and inter_channels 0 or more, got ", gate, " and ",
        inner);
  o.gate = gate > 0 ? gate : channels;
  o.inner = inner > 0 ? inner : std::max<std::int64_t>(1, channels / 2);
  o.mode = args.get("mode", "concatenation", "concatenation, concatenation_debug or concatenation_residual");
  check(o.mode == "concatenation" || o.mode == "concatenation_debug" || o.mode == "concatenation_residual",
        "grid_attention_gate: expected mode concatenation, concatenation_debug or concatenation_residual, got '", o.mode, "'");
  const auto factor =
      args.list("sub_sample_factor", std::vector<int>{2, 2}, "the grid is coarser by it: one number, or rows and columns");
  check((factor.size() == 1 || factor.size() == 2) && factor.front() > 0 && factor.back() > 0,
        "grid_attention_gate: expected a sub_sample_factor of one or two numbers above 0");
  o.factor = {factor.front(), factor.back()};
  return std::make_unique<GridAttentionGate>(scope, channels, o);
}

}  // namespace fovea
