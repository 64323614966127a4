// Few rows that stand for many: greedy k-center. Sener and Savarese 2018, arXiv:1708.00489; Gonzalez 1985. Each next row is the one that is farthest from all
// that were chosen, so that the largest distance of any row to the nearest chosen one is at most twice the smallest possible.
#pragma once

#include <functional>
#include <vector>

#include "modules/core/tensor.hpp"

namespace fovea {

// rows: n x d, f32, n at least 1. The numbers of `count` rows in the order in which they are chosen, the first at random; fewer where no other row lies apart from
// them. Of equally far ones the first. `going` hears the share that is done, and ends it by false: empty. The same on any number of threads.
std::vector<std::int64_t> k_center(const Tensor& rows, std::int64_t count, std::uint64_t seed,
                                   const std::function<bool(double share)>& going);

// n x dims: products with normal random numbers, whose distances are about those of the rows (Johnson and Lindenstrauss 1984). The rows themselves where these have no more
// values.
Tensor random_projection(const Tensor& rows, std::int64_t dims, std::uint64_t seed);

}  // namespace fovea
