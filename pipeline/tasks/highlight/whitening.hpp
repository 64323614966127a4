// Vectors turned and scaled so that they vary alike in every direction: distances between them are then Mahalanobis's.
#pragma once

#include "modules/core/tensor.hpp"

namespace fovea {

// y = weights (x - mean): weights C x C is the inverse of a Cholesky factor of the covariance, to whose diagonal a hundredth of the channels' mean variance is added.
struct Whitening {
  Tensor mean, weights;
  // rows: n x C, f32; likewise.
  Tensor operator()(const Tensor& rows) const;
};

// Of rows n x C, n at least 1. Rows that are all alike are as far apart as they are.
Whitening whitening_of(const Tensor& rows);

}  // namespace fovea
