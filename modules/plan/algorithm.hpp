// How a convolution of the graph is computed.
#pragma once

#include <cstdint>

#include "modules/plan/graph.hpp"

namespace fovea::plan {

enum class Algorithm : std::uint8_t {
  direct,     // oneDNN's
  planes,     // kernels/planes.hpp
  winograd2,  // kernels/winograd.hpp, by squares of 2 x 2
  winograd4,
};

// With `tune` the fastest on this machine, measured or known from an earlier measurement (tuning.hpp); else the one that is
// usually the fastest for such shapes, which depends on the shapes and the processor's kind alone.
Algorithm algorithm_for(const Mutable& g, const Node& n, const Convolve& c, bool tune);

}  // namespace fovea::plan
