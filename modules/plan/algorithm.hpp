// The choice of the kernel that computes a convolution.
#pragma once

#include <optional>

#include "modules/plan/graph.hpp"
#include "modules/plan/kernels/winograd.hpp"

namespace fovea::plan {

// The output tile of a Winograd algorithm; nothing for others.
std::optional<Winograd::Side> winograd_side(Algorithm a);

// With `tune` the algorithm that is fastest on this machine, measured now or earlier (tuning.hpp); without it the one that usually is,
// which depends on the shapes and the processor's vector width alone.
Algorithm algorithm_for(const Graph& g, const Node& n, const Convolve& c, bool tune);

}  // namespace fovea::plan
