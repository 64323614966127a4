// Values one after another along one axis; all other axes are equal. Channels-last maps give a channels-last map.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

Var concat(const Vars& parts, int axis);

}  // namespace fovea
