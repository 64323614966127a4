// Bootstrap: what a figure would have been on pictures that are drawn with replacement (Efron 1979), and places in sorted values.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <vector>

namespace fovea {

// Calls 1000 times, from a fixed seed, with the numbers of as many pictures as there are.
void for_each_resample(std::size_t pictures, const std::function<void(const std::vector<std::size_t>& drawn)>& f);

// Where 95 % of the resampled values lie. At least one value.
std::array<double, 2> resampled_interval(std::vector<double> values);

// Of at least one sorted value, linear between the neighbours, as NumPy's. `part`: 0 to 1.
double quantile(const std::vector<double>& sorted, double part);

}  // namespace fovea
