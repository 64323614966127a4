// Values one after another along one axis: (N, C1, H, W) and (N, C2, H, W) give (N, C1 + C2, H, W) for axis 1. Channels-last maps give a
// channels-last map. A negative axis counts from the end. Error where `parts` is empty, or where shapes differ on another axis, or types.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

Var concat(const Vars& parts, int axis);

}  // namespace fovea
