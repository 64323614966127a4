// A convolution of the graph as oneDNN makes it.
#pragma once

#include "modules/plan/graph.hpp"
#include "modules/plan/kernels/dots.hpp"
#include "modules/plan/kernels/planes.hpp"

namespace fovea::plan {

// The convolution with its bias and nothing behind it. A linear layer is one over a map of one row: a place for every row of x.
dnn::ConvSpec bare_convolution(const Mutable& g, const Node& n, const Convolve& c);
// The same with all that was fused into it.
dnn::ConvSpec fused_convolution(const Mutable& g, const Node& n, const Convolve& c, bool in_place);
// The convolution for the kernel for few planes.
Planes planes(const Mutable& g, const Node& n, const Convolve& c);
// A layer that the kernel for scalar products takes.
std::optional<Dots> dots(const Mutable& g, const Node& n, const Convolve& c);
// The weight as oneDNN takes it: f32, row-major, rank 4.
Tensor plain_weight(const Tensor& w);

}  // namespace fovea::plan
