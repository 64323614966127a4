// Batch normalisation, Ioffe & Szegedy 2015, arXiv:1502.03167:  y = (x - mean) / sqrt(var + eps) * weight + bias.
// x: (N, C) or (N, C, ...). weight, bias: (C), f32, or undefined for 1 and 0.
// Training: mean and biased variance of the batch normalise; the running ones move by `momentum` towards the batch's mean and
// unbiased variance, in place. Otherwise the running ones normalise. Statistics are computed in f32 and joined in f64.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

struct BatchNormOptions {
  bool training = false;
  double momentum = 0.1, eps = 1e-5;
};

// running_mean, running_var: (C); may be undefined while training.
Var batch_norm(const Var& x, const Var& weight, const Var& bias, const Tensor& running_mean, const Tensor& running_var,
               BatchNormOptions options = {});

// The same clamped to [low, high], in one pass forward and two backward: relu with 0 and infinity, relu6 with 0 and 6. The gradient
// is 0 where the clamp holds, its bounds included.
Var batch_norm_clamp(const Var& x, const Var& weight, const Var& bias, const Tensor& running_mean, const Tensor& running_var,
                     BatchNormOptions options, double low, double high);

}  // namespace fovea
