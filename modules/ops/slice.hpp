// Parts along one axis. Views of the input, except that parts of a channels-last map are dense channels-last maps.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

// Elements begin, begin + step, ... below end. Negative positions count from the end; both are clipped to the axis. Error where step < 1.
Var slice(const Var& x, int axis, std::int64_t begin, std::int64_t end, std::int64_t step = 1);

// Consecutive pieces of the given sizes, each at least 0. Error where they do not add up to the axis.
Vars split(const Var& x, int axis, const std::vector<std::int64_t>& sizes);

}  // namespace fovea
