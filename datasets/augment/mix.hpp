// What happens to a batch that is normalised already: erasing, mixup, cutmix.
#pragma once

#include "datasets/augment.hpp"
#include "modules/core/tensor.hpp"

namespace fovea {

// Beta(alpha, alpha): from two Gamma draws (Marsaglia and Tsang 2000).
double beta(double alpha, Random& random);

// Fills a random rectangle of sample `index` (N x 3 x H x W, channels-last) with normal noise: 2 to 33 percent of the area, proportions 0.3 to 3.3.
void erase_at_random(Tensor& batch, std::int64_t index, Random& random);

// Mixes sample i with sample N - 1 - i as it was before. `targets`, N x classes or undefined, are mixed by the share of pixels that each gives.
void mix(Tensor& batch, Tensor& targets, const Augment& a, Random& random);

// N x classes, f32, 1 at each label.
Tensor one_hot(const Tensor& labels, std::int64_t classes);

}  // namespace fovea
