// Grad-CAM: relu(sum_k w_k A_k), w_k the mean over the positions of d score / d A_k. Selvaraju et al. 2017, arXiv:1610.02391.
#include "modules/explain/activations.hpp"
#include "modules/explain/methods.hpp"

namespace fovea::explain {

Explanation grad_cam(const Request& r) {
  const Gradients g = gradients_of(r.network, r.score, r.x, r.layers);
  Explanation out;
  for (std::size_t i = 0; i < r.layers.size(); ++i) {
    const Activations a = activations_of(g.values[i], r.layers[i]), slope = activations_of(g.gradients[i], r.layers[i]);
    std::vector<double> weights(static_cast<std::size_t>(a.channels));
    for (std::int64_t cell = 0; cell < a.cells; ++cell)
      for (std::int64_t c = 0; c < a.channels; ++c)
        weights[static_cast<std::size_t>(c)] += slope.at(cell, c) / static_cast<double>(a.cells);
    out.maps.push_back(weighted_map(a, r.layers[i], weights));
  }
  return out;
}

}  // namespace fovea::explain
