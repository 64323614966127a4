// How far apart two evaluations of one network may be that differ by rounding alone.
#pragma once

#include <functional>
#include <vector>

#include "modules/core/tensor.hpp"

namespace fovea::test {

// Two evaluations sum the same products in different orders and round folded weights at different places. A sum of K terms in f32 is off
// by at most lambda sqrt(K) u of its terms (u = 2^-24) with probability 1 - 2 K exp(-lambda^2 / 2), Higham & Mary 2019; lambda = 6. A
// change of the terms by a share e acts like one of the weights, so the share is turned into an absolute bound by experiment: every
// weight is changed by +-2^-12 of itself, at random, three times, and the largest change of an output counts. With the roundings of
// the steps between sums (8 a sum) and both evaluations:
//   bound = 2 (6 sqrt(K) + 8) u * (largest change / 2^-12) + 8 u max|output|
// K is the longest sum. One bound for every output of `run`. Parameters are f32 or whole numbers, which stay; they are restored.
std::vector<double> rounding_bounds(const Tensors& parameters, std::int64_t longest_sum, const std::function<Tensors()>& run);

}  // namespace fovea::test
