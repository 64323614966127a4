// Hard attention, Xu et al. 2015, arXiv:1502.03044: one place s is drawn from the weights alpha, and the context is its feature.
// What is not differentiable, the choice, is taught by REINFORCE: the gradient of
//   -(log p(words | s) + rate (log p(words | s) - b) log alpha_s + entropy H[alpha]),  b: a running mean of log p(words | s),
// in whose second term nothing flows into the rewards.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

struct HardChoice {
  Var context;     // N x E: features[s]; its gradient reaches that place alone
  Var log_chosen;  // N: log alpha_s
  Var chosen;      // N x L, 1 at s; without a gradient
};
struct HardAttended {
  Var alpha;    // N x L
  Var entropy;  // N: H[alpha] = -sum alpha log alpha
  HardChoice sampled, largest;
};
// features N x L x E, logits N x L, u N: numbers in [0, 1) that draw; s is the number of places whose running sum of alpha is
// below u.
HardAttended hard_attention(const Var& features, const Var& logits, const Var& u);

// The loss of a batch whose samples drew once each, and the running mean b that it compares with: b <- decay b + (1 - decay)
// mean(reward).
class Reinforce {
 public:
  struct Options {
    double rate = 1, entropy = 0.002, decay = 0.9;
  };
  explicit Reinforce(const Options& options);
  // reward: N, log p(words | s) or any other; its own gradient is part of the result. log_chosen, entropy: N, sums over steps.
  // The mean over the batch. Moves the baseline.
  Var loss(const Var& reward, const Var& log_chosen, const Var& entropy);
  double baseline() const { return baseline_; }
  void set_baseline(double value) { baseline_ = value, begun_ = true; }  // of a training that goes on

 private:
  Options o_;
  double baseline_ = 0;
  bool begun_ = false;  // the first mean is taken whole
};

}  // namespace fovea
