// The convolution of a node as the problem that each of the kernels takes.
#pragma once

#include "modules/plan/graph.hpp"
#include "modules/plan/kernels/gemv.hpp"
#include "modules/plan/kernels/single_output_conv.hpp"

namespace fovea::plan {

// For oneDNN, with the bias but without residual and activation. A linear layer on x (..., I) becomes a 1x1 convolution of a map
// (1, I, 1, rows of x).
dnn::ConvSpec bare_convolution(const Graph& g, const Node& n, const Convolve& c);
// For oneDNN, with all that was fused into it; `in_place`: y holds the residual.
dnn::ConvSpec fused_convolution(const Graph& g, const Node& n, const Convolve& c, bool in_place);
// For kernels/single_output_conv.hpp; c.single_output must be set.
SingleOutputConv single_output_conv(const Graph& g, const Node& n, const Convolve& c);
// For kernels/gemv.hpp; nothing where that does not fit.
std::optional<Gemv> gemv_of(const Graph& g, const Node& n, const Convolve& c);
// A weight of a convolution or a linear layer as the kernels take it before they reorder it: f32, row-major, rank 4.
Tensor row_major_weight(const Tensor& w);

}  // namespace fovea::plan
