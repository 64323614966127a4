// The operations of fused elementwise kernels.
#pragma once

#include <vector>

#include "modules/plan/work.hpp"

namespace fovea::plan {

// One operation on a current value, which starts as the node's input 0, and on operands, which are indices into the node's inputs and
// broadcast to the shape of the output.
struct ElementwiseOp {
  enum class Kind : std::uint8_t {
    pointwise,  // value = f(value)
    binary,     // value = f(value, operand)
    affine,     // value = value * operand + shift, one of each for each channel, f64 constants
    broadcast,  // only as the first: value = input 0 broadcast to the shape of the output
    push,       // puts the value on a stack of depth one; value = operand, which has the shape of the output
    pop         // value = f(popped value, value)
  } kind;
  role::Pointwise pointwise{};
  role::Binary binary{};  // of binary and pop
  std::size_t operand = 0, shift = 0;
};
using ElementwiseOps = std::vector<ElementwiseOp>;
constexpr std::size_t kMaxOperands = 64;  // inputs of one node with elementwise ops

}  // namespace fovea::plan
