// How far apart two evaluations of one network may be that differ by rounding alone.
#pragma once

#include <functional>
#include <vector>

#include "modules/core/tensor.hpp"

namespace fovea::test {

// Two evaluations sum the same products in different orders and round folded weights at different positions. A sum of K terms in f32 is off
// by at most lambda sqrt(K) u of its terms (u = 2^-24) with probability 1 - 2 K exp(-lambda^2 / 2), Higham & Mary 2019; lambda = 6. A
// change of the terms by a share e acts like one of the weights, so the share is turned into an absolute bound by experiment: every
// weight is changed by +-2^-12 of itself, at random, three times, and the largest change of an output counts. With the roundings of
// the steps between sums (8 a sum) and both evaluations:
//   bound = 2 (6 sqrt(K) + 8) u * (largest change / 2^-12) + 8 u max|output|
// and at most a thousandth of max|output|, so that no network, however it amplifies, lets anything pass. K is the longest sum. One bound
// for every output of `run`. Parameters are f32 or whole numbers, which stay; they are restored.
std::vector<double> rounding_bounds(const Tensors& parameters, std::int64_t longest_sum, const std::function<Tensors()>& run);

// The same for maps and weights that are stored in bf16 (u = 2^-8) and computed with in f32, against no such rounding. A product in a
// sum carries the rounding of its weight and those of its map since the last sum, R in all. They are independent, each at most u of it
// and u / sqrt(6) in the quadratic mean. So together they act like a change of the weights by sqrt(R / 6) u. Every weight is changed by
// +-u of itself, at random, eight times; of eight draws the largest is beyond one standard deviation, and six of these are allowed:
//   bound = 6 sqrt(R / 6) * largest change + 2 u max|output|
// and at most a quarter of max|output|. The last term is for what is stored behind the last sum.
std::vector<double> storage_bounds(const Tensors& parameters, int roundings, const std::function<Tensors()>& run);

}  // namespace fovea::test
