// Gradients of the input as maps.
#pragma once

#include "modules/explain/methods.hpp"

namespace fovea::explain {

// d score / d x in rows of pixels: (H W) x C.
std::vector<double> input_gradients(const Request& request, const Tensor& x);
// The largest absolute value over the channels of each pixel.
Map largest_over_channels(const std::string& name, const Tensor& x, const std::vector<double>& gradients);

}  // namespace fovea::explain
