// Deformable convolution on bare memory, made once and run many times: what a plan runs.
#pragma once

#include <optional>

#include "modules/autograd/lowering.hpp"
#include "modules/ops/kernels/deform_samples.hpp"

namespace fovea::kernels {

// in: x, offset, mask or none, weight, bias or none; maps dense channels-last. Nothing where oneDNN has no fast matrix product.
std::optional<role::Computation::Bound> deform_bound(const DeformGeometry& g, const std::vector<role::Computation::Value>& in,
                                                     const role::Computation::Value& out);

}  // namespace fovea::kernels
