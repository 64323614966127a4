// What the selective kernels share: a softmax over paths for every channel, and the weighted sum of the paths.
#pragma once

#include <functional>

#include "modules/autograd/var.hpp"

namespace fovea {

// paths: M maps N x C x H x W. attend: N x C x 1 x 1, the mean of their sum, to logits N x MC (path after path). The weights N x M x C go
// through `tap`.
Var select(const Vars& paths, const std::function<Var(const Var&)>& attend, const std::function<Var(const Var&)>& tap);

}  // namespace fovea
