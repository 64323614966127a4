// softmax and log-softmax along one axis.
#pragma once

#include "modules/autograd/apply.hpp"

namespace fovea {

Var softmax(const Var& x, int axis);
Var log_softmax(const Var& x, int axis);

}  // namespace fovea
