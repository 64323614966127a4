// What channel gates share: the width of the squeeze as recipes give it, and the two layers fc2(act(bn(fc1 z))) on pooled channels.
#pragma once

#include <optional>

#include "modules/nn/activations.hpp"
#include "modules/nn/args.hpp"
#include "modules/nn/layers.hpp"
#include "modules/nn/norms.hpp"
#include "modules/ops/ties.hpp"

namespace fovea {

// Reads `hidden` (the width itself), `reduction`, `divisor` and `round_limit`. divisor 0: channels / reduction rounded down, at least
// 1; else make_divisible (activations.hpp).
struct SqueezeDefaults {
  double reduction = 16;
  int divisor = 0;
  double round_limit = 0;
};
std::int64_t squeezed_width(Args& args, std::int64_t channels, const SqueezeDefaults& defaults, const std::string& where);

// Parameters fc1.weight, fc2.weight, their biases, bn.* where there is one; of further hidden layers (BAM's) hidden.1.*, hidden_bn.2.*, ... Takes and gives N x C x 1 x 1.
class GateMlp {
 public:
  struct Options {
    std::int64_t in = 0, hidden = 0, out = 0;
    bool bias = true, bn = false;
    std::string activation = "relu";
    Init bias_init = {};
    std::int64_t layers = 1;  // hidden ones
  };
  GateMlp(const Scope& scope, const Options& options);
  Var operator()(const Var& pooled) const;

 private:
  Linear fc1_, fc2_;
  Var normed(const Var& z, const BatchNorm2d& bn) const;

  std::optional<BatchNorm2d> bn_;
  std::vector<Linear> hidden_;
  std::vector<BatchNorm2d> hidden_bn_;
  Pointwise act_;
};

// The pooled channels that a squeeze looks at: "avg", "max", "avg_max" (the mean of both), "lp" (sqrt sum x^2), "lse" (log sum exp x),
// all N x C x 1 x 1.
Pointwise squeeze(const std::string& name, const std::string& where, Ties ties = Ties::first);
// Reads `ties`: which of equal maxima get the gradient.
Ties read_ties(Args& args, const std::string& where);

}  // namespace fovea
