// Tensors that tests make and compare.
#pragma once

#include "modules/core/tensor.hpp"

namespace fovea::test {

// Normal values rounded to bf16, f64; channels-last where the rank is 4. Different seeds give different values.
Tensor random_tensor(const Shape& shape, std::uint64_t seed, double mean = 0, double stddev = 1);

// max |a - b| over two tensors of one shape; infinite where one of them or both are NaN.
double max_difference(const Tensor& a, const Tensor& b);

// max |v| over the finite values.
double largest_of(const Tensor& t);

}  // namespace fovea::test
