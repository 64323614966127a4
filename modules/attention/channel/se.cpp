// Squeeze-and-excitation: y = x * gate(fc2 act(fc1 mean_HW x)). Hu et al. 2018, arXiv:1709.01507.
// Parameters fc1.weight, fc1.bias, fc2.weight, fc2.bias and, with `bn`, bn.*. Tap "channel": N x C x 1 x 1.
// Defaults are timm's; {divisor: 0, bias: false} is the paper's. The means may be 0.5 (mean + max) too; timm's maxima have ties: equal.
#include "modules/nn/gate_mlp.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"

namespace fovea {
namespace {

class Se final : public MapBlock {
 public:
  struct Options {
    GateMlp::Options mlp;
    std::string squeeze, gate;
    Ties ties = Ties::first;
  };
  Se(const Scope& s, const Options& o)
      : MapBlock(s), mlp_(s, o.mlp), squeeze_(squeeze(o.squeeze, s.path(), o.ties)), gate_(activation(o.gate, s.path())) {}

 protected:
  Var forward(const Var& x) const override { return x * tap("channel", gate_(mlp_(squeeze_(x)))); }

 private:
  GateMlp mlp_;
  Pointwise squeeze_, gate_;
};

}  // namespace

FOVEA_BLOCK(se, "squeeze-and-excitation: a gate for every channel", "Hu et al. 2018, arXiv:1709.01507") {
  Se::Options o;
  o.mlp = {.in = channels, .hidden = squeezed_width(args, channels, {.divisor = 8}, "se"), .out = channels};
  o.mlp.bias = args.get("bias", true, "biases in both layers");
  o.mlp.bn = args.get("bn", false, "batch norm behind the first layer");
  o.mlp.activation = args.get("activation", "relu", "between the layers");
  o.gate = args.get("gate", "sigmoid", "sigmoid, hard_sigmoid or another activation");
  o.squeeze = args.get("squeeze", "avg", "what a channel is squeezed to: avg, max, avg_max, lp or lse");
  o.ties = read_ties(args, "se");
  return std::make_unique<Se>(scope, o);
}

}  // namespace fovea
