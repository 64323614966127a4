// Losses of regions: of probabilities N x C x H x W against truths 0..1 of the same shape, made of differentiable ops. Results are scalars, means over samples and
// classes. What every class weighs is `class_weights` (C), or undefined for 1.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

struct TverskyOptions {
  double alpha = 0.3, beta = 0.7;  // what false positives and false negatives weigh; 0.5 and 0.5 is Dice
  double exponent = 0.75;          // of 1 - index: below 1 hard samples count for more; 1 is the plain Tversky loss
  double smooth = 1;
  Tensor class_weights = {};
};
// (1 - (tp + s) / (tp + alpha fp + beta fn + s))^exponent. Salehi et al. 2017, arXiv:1706.05721; focal: Abraham and Khan 2018, arXiv:1810.07842,
// whose 1/gamma is the exponent.
Var tversky_loss(const Var& probabilities, const Var& target, const TverskyOptions& options = {});

// 1 - clDice: how much of the one's centre lines lies in the other, both ways, the centre lines by `iterations` of soft thinning (at least the radius, in
// pixels, of the widest vessel). Shit et al. 2020, arXiv:2003.07311.
Var cl_dice_loss(const Var& probabilities, const Var& target, int iterations = 5, double smooth = 1);
// The soft centre lines themselves.
Var soft_skeleton(const Var& x, int iterations);

// The mean of probability times signed distance to the truth's edge, in pixels, below 0 inside: what lies far outside costs most. May be below 0.
// Kervadec et al. 2018, arXiv:1812.07032.
Var boundary_loss(const Var& probabilities, const Var& signed_distance, const Tensor& class_weights = {});

}  // namespace fovea
