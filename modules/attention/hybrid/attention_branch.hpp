// A2N's attention branch: k4(k3(x) * sigmoid(k2(leaky_relu(k1(x))))). Chen et al. 2021, arXiv:2104.09497.
// Parameters k1.weight, k2.weight, k2.bias, k3.weight, k4.weight. Tap "gate": N x C x H x W in (0, 1).
#pragma once

#include "modules/nn/block.hpp"

namespace fovea {

class AttentionBranch final : public MapBlock {
 public:
  AttentionBranch(const Scope& scope, std::int64_t channels, std::int64_t kernel = 3);

 protected:
  Var forward(const Var& x) const override;

 private:
  Conv2d k1_, k2_, k3_, k4_;
};

}  // namespace fovea
