// Group normalisation, Wu & He 2018, arXiv:1803.08494: mean and biased variance of each sample's group of channels;
// y = (x - mean) / sqrt(var + eps) * weight + bias. groups = C is instance normalisation.
// x: (N, C, ...) with C a multiple of groups. weight, bias: (C), f32, or undefined for 1 and 0.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

Var group_norm(const Var& x, int groups, const Var& weight, const Var& bias, double eps = 1e-5);

}  // namespace fovea
