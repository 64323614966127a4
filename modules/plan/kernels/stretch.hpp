// Pointwise steps that keep their values in registers: a stretch of up to eight vectors goes through all of them before it is stored,
// so that a chain costs little more than reading its maps and writing its result.
#pragma once

#include <cstdint>
#include <span>

#include "modules/core/dtype.hpp"

namespace fovea::plan {

// What a step reads: neighbours that are f32 or bf16, or one f32 for all neighbours of a position.
struct Source {
  enum class Form : std::uint8_t { wide, narrow, one } form;
  const void* at;
  std::int64_t step;  // from a position to the next, in elements
};
struct Target {
  void* at;
  bool narrow;  // bf16
};

// v is the value, g and m are sources; m has neighbours.
struct Action {
  enum class Kind : std::uint8_t {
    fetch,         // v = g
    multiply,      // v * g
    add,           // v + g
    add_product,   // v + m * g
    aside,         // puts v away and goes on with m
    back_sum,      // what was put away + v
    back_product,  // what was put away * v
    relu,          // these four as role::Pointwise::Plain says
    leaky_relu,
    clip,
    scale,
    sigmoid,
  } kind;
  Source g, m;
  float a, b;
};

constexpr std::int64_t kShortRow = 16;  // fewer neighbours are slow

// y = all actions on x, for `positions` of `width` neighbours, dense in x and y; y may be x or any source that lies as x does. x may be
// nowhere where the first action fetches.
void run_stretches(const Target& y, const Source& x, std::span<const Action> actions, std::int64_t positions, std::int64_t width);

}  // namespace fovea::plan
