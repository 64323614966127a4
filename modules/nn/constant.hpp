// Constants beside values that may be of any type: masks, starting states, positions.
#pragma once

#include "modules/autograd/var.hpp"

namespace fovea {

// `value` in the type of `like`; as it is while tracing shapes.
inline Var constant_like(const Tensor& value, const Var& like) {
  return like.state()->value.defined() ? value.to(like.dtype()) : value;
}

}  // namespace fovea
