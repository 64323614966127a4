// Mean over the cells of a grid laid over a map, as PyTorch's AdaptiveAvgPool2d: (N, C, H, W) -> (N, C, height, width). Cell i covers
// rows floor(i H / height) to ceil((i + 1) H / height), so that cells overlap where the grid does not divide the map.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

Var adaptive_avg_pool2d(const Var& x, std::int64_t height, std::int64_t width);

}  // namespace fovea
