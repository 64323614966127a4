// Grad-CAM++: w_k = sum over positions of alpha relu(g), alpha = g^2 / (2 g^2 + g^3 sum of A_k), g = d score / d A_k. With the score
// taken as exp of the logit, whose factor cancels. Chattopadhay et al. 2018, arXiv:1710.11063.
#include <algorithm>
#include <cmath>

#include "modules/explain/activations.hpp"
#include "modules/explain/methods.hpp"

namespace fovea::explain {
namespace {

constexpr double kSmall = 1e-12;

double weight_of(const Activations& a, const Activations& slope, std::int64_t channel) {
  double sum = 0, weight = 0;
  for (std::int64_t cell = 0; cell < a.cells; ++cell) sum += a.at(cell, channel);
  for (std::int64_t cell = 0; cell < a.cells; ++cell) {
    const double g = slope.at(cell, channel), below = 2 * g * g + g * g * g * sum;
    if (std::abs(below) > kSmall * g * g && g > 0) weight += g * g / below * g;
  }
  return weight;
}

}  // namespace

Explanation grad_cam_plus_plus(const Request& r) {
  const Gradients g = gradients_of(r.network, r.score, r.x, r.layers);
  Explanation out;
  for (std::size_t i = 0; i < r.layers.size(); ++i) {
    const Activations a = activations_of(g.values[i], r.layers[i]), slope = activations_of(g.gradients[i], r.layers[i]);
    std::vector<double> weights;
    for (std::int64_t c = 0; c < a.channels; ++c) weights.push_back(weight_of(a, slope, c));
    out.maps.push_back(weighted_map(a, r.layers[i], weights));
  }
  return out;
}

}  // namespace fovea::explain
