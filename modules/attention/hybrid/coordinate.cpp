// Coordinate attention: h = mean over the columns, w = mean over the rows; z = act(bn(conv1 [h; w])) split again;
// y = x * sigmoid(conv_h z_h) * sigmoid(conv_w z_w). Hou et al. 2021, arXiv:2103.02907.
// Parameters conv1.*, bn1.*, conv_h.*, conv_w.*. Taps "height": N x C x H x 1; "width": N x C x 1 x W.
// Defaults are the authors'; timm's are {bias: false, reduction: 24, divisor: 8, min_hidden: 1}.
#include <algorithm>
#include <optional>

#include "modules/nn/gate_mlp.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/slice.hpp"

namespace fovea {
namespace {

class Coordinate final : public MapBlock {
 public:
  struct Options {
    std::int64_t hidden = 0;
    bool bias = true, bn = true, residual = false;
    std::string activation, gate;
  };
  Coordinate(const Scope& s, std::int64_t c, const Options& o)
      : MapBlock(s),
        conv1_(s / "conv1", {.in = c, .out = o.hidden, .bias = o.bias}),
        conv_h_(s / "conv_h", {.in = o.hidden, .out = c, .bias = o.bias}),
        conv_w_(s / "conv_w", {.in = o.hidden, .out = c, .bias = o.bias}),
        act_(activation(o.activation, s.path())),
        gate_(activation(o.gate, s.path())),
        residual_(o.residual) {
    if (o.bn) bn_.emplace(s / "bn1", o.hidden);
  }

 protected:
  Var forward(const Var& x) const override {
    const std::int64_t height = x.dim(2), width = x.dim(3);
    Var z = conv1_(concat({mean(x, {3}), turned(mean(x, {2}))}, 2));
    if (bn_) z = (*bn_)(z);
    const Vars parts = split(act_(z), 2, {height, width});
    const Var rows = tap("height", gate_(conv_h_(parts[0])));
    const Var columns = tap("width", turned(gate_(conv_w_(parts[1]))));
    const Var y = x * rows * columns;
    return residual_ ? x + y : y;
  }

 private:
  static Var turned(const Var& v) { return permute(v, {0, 1, 3, 2}); }

  Conv2d conv1_;
  std::optional<BatchNorm2d> bn_;
  Conv2d conv_h_, conv_w_;
  Pointwise act_, gate_;
  bool residual_;
};

}  // namespace

FOVEA_BLOCK(coordinate, "a gate for every row and one for every column of a channel", "Hou et al. 2021, arXiv:2103.02907") {
  Coordinate::Options o;
  const bool given = args.has("hidden");
  o.hidden = squeezed_width(args, channels, {.reduction = 32}, "coordinate");
  const int least = args.get("min_hidden", 8, "the least width between the layers");
  if (!given) o.hidden = std::max<std::int64_t>(o.hidden, least);
  o.bias = args.get("bias", true, "biases of the three layers");
  o.bn = args.get("bn", true, "batch norm behind the first layer");
  o.activation = args.get("activation", "hard_swish", "behind the first layer");
  o.gate = args.get("gate", "sigmoid", "sigmoid, hard_sigmoid or another activation");
  o.residual = args.get("residual", false, "adds the input to the gated map");
  return std::make_unique<Coordinate>(scope, channels, o);
}

}  // namespace fovea
