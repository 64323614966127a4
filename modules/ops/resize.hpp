// Resizing of maps, as PyTorch's interpolate: nearest (asymmetric, floor) and bilinear (both corner rules).
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

enum class Resize : std::uint8_t { nearest, bilinear, bilinear_align_corners };

// x: N x C x H x W -> N x C x height x width, in pixels. Error where x is no map or has no elements, or the size is not positive.
Var resize(const Var& x, std::int64_t height, std::int64_t width, Resize mode);
// By a whole factor.
inline Var upsample(const Var& x, std::int64_t factor, Resize mode) {
  return resize(x, x.dim(2) * factor, x.dim(3) * factor, mode);
}

}  // namespace fovea
