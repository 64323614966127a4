// Grids followed through a traced network: each op says where its outputs lie on its input (autograd/op.hpp, Placement), and the sum of
// these is where a cell deep in the network lies on the picture.
#pragma once

#include <optional>

#include "modules/explain/layers.hpp"

namespace fovea::explain {

struct TracedTap {
  std::string name;
  Shape shape;
  std::optional<Grid> grid;  // the raster that the value's positions come from; what has no positions keeps that of its input
};

std::vector<TracedTap> traced_taps(const ForwardFunction& network, const Shape& input);

}  // namespace fovea::explain
