// Boxes between a picture and a network's input, both in their own pixels as box.hpp counts them.
#pragma once

#include "datasets/boxes/box.hpp"
#include "datasets/preprocess.hpp"

namespace fovea {

inline Box to_network(const Box& on_source, const Geometry& g) { return from_pixels(g.to_network(on_pixels(on_source))); }
inline Box to_source(const Box& on_network, const Geometry& g) { return from_pixels(g.to_source(on_pixels(on_network))); }

}  // namespace fovea
