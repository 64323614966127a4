#include "modules/explain/activations.hpp"

#include <algorithm>

namespace fovea::explain {

Activations activations_of(const Tensor& value, const Layer& layer) {
  check(value.rank() >= 3 && value.dim(0) == 1, layer.name, ": expected the map of one sample, got ", value.shape());
  Activations a;
  const Tensor table = value.rank() == 4 ? value.permute({0, 2, 3, 1}) : value.slice(1, layer.prefix, value.dim(1));
  a.values = table.values();
  a.channels = table.dim(-1);
  a.cells = static_cast<std::int64_t>(a.values.size()) / a.channels;
  check(a.cells == layer.grid.cells(), layer.name, ": expected ", layer.grid.cells(), " positions, got ", a.cells);
  return a;
}

Map weighted_map(const Activations& a, const Layer& layer, const std::vector<double>& weights) {
  Map map{layer.name, layer.grid, {}};
  for (std::int64_t cell = 0; cell < a.cells; ++cell) {
    double sum = 0;
    for (std::int64_t c = 0; c < a.channels; ++c) sum += weights[static_cast<std::size_t>(c)] * a.at(cell, c);
    map.values.push_back(std::max(sum, 0.0));
  }
  return map;
}

}  // namespace fovea::explain
