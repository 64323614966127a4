// Layer normalisation, Ba et al. 2016, arXiv:1607.06450: y = (x - mean) / sqrt(var + eps) * weight + bias, with the mean and
// biased variance of each row, taken in f32 and joined in f64.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

// Over the last `axes` axes. weight, bias: the shape of those axes, or undefined for 1 and 0.
Var layer_norm(const Var& x, const Var& weight, const Var& bias, int axes = 1, double eps = 1e-5);

// Over the channels of (N, C, H, W) at each position (ConvNeXt's). weight, bias: (C) or undefined.
Var layer_norm_channels(const Var& x, const Var& weight, const Var& bias, double eps = 1e-6);

}  // namespace fovea
