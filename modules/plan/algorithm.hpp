// How a convolution of the graph is computed.
#pragma once

#include <cstdint>
#include <optional>

#include "modules/plan/graph.hpp"
#include "modules/plan/kernels/winograd.hpp"

namespace fovea::plan {

enum class Algorithm : std::uint8_t {
  direct,       // oneDNN's
  planes,       // kernels/planes.hpp
  dots,         // kernels/dots.hpp
  winograd2x2,  // kernels/winograd.hpp, by tiles of so many results
  winograd2x4,
  winograd4x4,
};
// The tile of a Winograd algorithm; none of another.
std::optional<Winograd::Side> winograd_side(Algorithm a);

// With `tune` the fastest on this machine, measured or known from an earlier measurement (tuning.hpp); else the one that is
// usually the fastest for such shapes, which depends on the shapes and the processor's kind alone.
Algorithm algorithm_for(const Mutable& g, const Node& n, const Convolve& c, bool tune);

}  // namespace fovea::plan
