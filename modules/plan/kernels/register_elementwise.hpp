// Elementwise operations with the values in registers: a block of up to eight vectors goes through all operations before it is stored, so
// that a fused chain costs little more than reading its maps and writing its result.
#pragma once

#include <cstdint>
#include <span>

#include "modules/core/dtype.hpp"

namespace fovea::plan {

// An operand at `positions` of `width` elements: contiguous f32 or bf16, or one f32 scalar for each position.
struct RegisterSource {
  enum class Form : std::uint8_t { f32, bf16, scalar } form;
  const void* at;
  std::int64_t step;  // elements from one position to the next
};
struct RegisterTarget {
  void* at;
  bool is_bf16;  // else f32
};

// v is the current value, g and m are operands; m is not scalar.
struct RegisterOp {
  enum class Kind : std::uint8_t {
    load,          // v = g
    multiply,      // v * g
    add,           // v + g
    add_product,   // v + m * g
    push,          // puts v on a stack of depth one; v = m
    pop_add,       // popped value + v
    pop_multiply,  // popped value * v
    relu,          // this and the next three as role::Pointwise::Inline says, with a and b
    leaky_relu,
    clip,
    scale,
    sigmoid,
  } kind;
  RegisterSource g, m;
  float a, b;
};

constexpr std::int64_t kShortRow = 16;  // a row of fewer elements does not fill a vector

// y = all ops on x, for `positions` of `width` elements, dense in x and y. y may be x or any operand that has the same layout. x.at may be
// null where the first op is a load. Runs on the calling thread.
void apply_in_registers(const RegisterTarget& y, const RegisterSource& x, std::span<const RegisterOp> ops, std::int64_t positions,
                        std::int64_t width);

}  // namespace fovea::plan
