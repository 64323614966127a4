// Padding. constant: a value; reflect: mirrored without repeating the edge (less than the size); replicate: the edge again;
// circular: from the other side (at most the size).
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

enum class PadMode : std::uint8_t { constant, reflect, replicate, circular };

struct Padding {
  std::int64_t left = 0, right = 0, top = 0, bottom = 0;
};

// Rows and columns of a map (N, C, H, W).
Var pad2d(const Var& x, Padding padding, PadMode mode = PadMode::constant, double value = 0);

// Any axes: before[i] and after[i] elements of `value` around axis i.
Var pad(const Var& x, const Shape& before, const Shape& after, double value = 0);

}  // namespace fovea
