// Losses: each one op with its own backward, in f32 whatever the precision, summed in f32 within fixed blocks and in f64 over
// them, so that the value does not depend on the thread count. Results are scalars.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

enum class Reduction : std::uint8_t { mean, sum };

// Of d = prediction - target, over all elements of two equal shapes.
Var l1_loss(const Var& prediction, const Var& target, Reduction reduction = Reduction::mean);   // |d|
Var mse_loss(const Var& prediction, const Var& target, Reduction reduction = Reduction::mean);  // d^2
// sqrt(d^2 + eps^2): a smooth L1, Lai et al. 2017, arXiv:1710.01992.
Var charbonnier_loss(const Var& prediction, const Var& target, double eps = 1e-3, Reduction reduction = Reduction::mean);

struct CrossEntropyOptions {
  double label_smoothing = 0;  // the target becomes (1 - s) one-hot + s / C
  std::int64_t ignore_index = -100;
  Tensor class_weights = {};              // (C), may be undefined for 1
  Reduction reduction = Reduction::mean;  // mean: over the sum of the targets' weights, as PyTorch
};
// logits: (N, C) or (N, C, H, W); target: s64, (N) or (N, H, W). The mean over no target at all is 0.
Var cross_entropy(const Var& logits, const Var& target, const CrossEntropyOptions& options = {});

// The same for class probabilities of the logits' shape instead of indices (mixed or taught labels); ignore_index plays no part, and the mean
// is over the positions, as PyTorch.
Var soft_cross_entropy(const Var& logits, const Var& target, const CrossEntropyOptions& options = {});

struct BceOptions {
  Tensor pos_weight = {};  // weight of the positive part: a scalar, or (C) for logits (N, C, ...); may be undefined for 1
  Reduction reduction = Reduction::mean;
};
// Binary cross-entropy of sigmoid(logits), in the form that does not overflow; target of the same shape in [0, 1].
Var bce_with_logits(const Var& logits, const Var& target, const BceOptions& options = {});

struct DiceOptions {
  double smooth = 1;
  Tensor class_weights = {};  // (C), not below 0, above 0 in sum; may be undefined for 1
};
// 1 - mean over samples and channels, as their weights say, of (2 sum(p t) + smooth) / (sum(p) + sum(t) + smooth), Milletari et al. 2016,
// arXiv:1606.04797 with plain sums. probabilities, target: (N, C, ...) in [0, 1].
Var soft_dice_loss(const Var& probabilities, const Var& target, const DiceOptions& options = {});

}  // namespace fovea
