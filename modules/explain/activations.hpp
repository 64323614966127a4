// The value of a layer with positions, as a table: a row of channels for each cell.
#pragma once

#include "modules/explain/layers.hpp"

namespace fovea::explain {

struct Activations {
  std::int64_t cells = 0, channels = 0;
  std::vector<double> values;  // cells x channels
  double at(std::int64_t cell, std::int64_t channel) const { return values[static_cast<std::size_t>(cell * channels + channel)]; }
};

// Of one sample: 1 x C x H x W, or 1 x (prefix + cells) x C, whose prefix is left out.
Activations activations_of(const Tensor& value, const Layer& layer);

// What class activation maps share: the positive part of the sum of activations times channel weights.
Map weighted_map(const Activations& a, const Layer& layer, const std::vector<double>& weights);

}  // namespace fovea::explain
