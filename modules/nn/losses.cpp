#include "modules/nn/losses.hpp"

#include "modules/ops/binary.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {

Var l1(const Var& x, const Var& target) {
  const Var d = x - target;
  return mean(maximum(d, neg(d)), {0, 1, 2, 3}, false);
}

}  // namespace fovea
