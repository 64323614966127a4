// Score-CAM: relu(sum_k softmax_k(s_k) A_k), s_k the score of the picture seen through A_k, scaled to 0..1 and enlarged, less
// that of a blank picture. No gradients. Wang et al. 2020, arXiv:1910.01279. Blank is the mean colour.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "modules/explain/activations.hpp"
#include "modules/explain/methods.hpp"

namespace fovea::explain {
namespace {

Map channel_map(const Activations& a, const Layer& layer, std::int64_t channel) {
  Map map{layer.name, layer.grid, {}};
  for (std::int64_t cell = 0; cell < a.cells; ++cell) map.values.push_back(a.at(cell, channel));
  const auto [low, high] = std::minmax_element(map.values.begin(), map.values.end());
  const double from = *low, range = *high - *low;
  for (double& v : map.values) v = range > 0 ? (v - from) / range : 0;
  return map;
}

// The channels that vary most; one that is constant shows nothing and is never used.
std::vector<std::int64_t> chosen_channels(const Activations& a, std::int64_t most) {
  std::vector<double> variance;
  for (std::int64_t c = 0; c < a.channels; ++c) {
    double sum = 0, squares = 0;
    for (std::int64_t cell = 0; cell < a.cells; ++cell) sum += a.at(cell, c), squares += a.at(cell, c) * a.at(cell, c);
    const double mean = sum / static_cast<double>(a.cells);
    variance.push_back(squares / static_cast<double>(a.cells) - mean * mean);
  }
  std::vector<std::int64_t> order(static_cast<std::size_t>(a.channels));
  std::iota(order.begin(), order.end(), 0);
  const auto of = [&](std::int64_t c) { return variance[static_cast<std::size_t>(c)]; };
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t p, std::int64_t q) { return of(p) > of(q); });
  std::erase_if(order, [&](std::int64_t c) { return !(of(c) > 0); });
  if (most > 0 && static_cast<std::int64_t>(order.size()) > most) order.resize(static_cast<std::size_t>(most));
  return order;
}

std::vector<double> weights_of(const Request& r, const Activations& a, const Layer& layer) {
  const auto chosen = chosen_channels(a, r.options.channels);
  const std::int64_t depth = r.x.dim(1), height = r.x.dim(2), width = r.x.dim(3);
  const auto seen_through = [&](std::int64_t i, float* picture) {
    for (const double m : channel_map(a, layer, chosen[static_cast<std::size_t>(i)]).on_pixels(height, width))
      for (std::int64_t c = 0; c < depth; ++c) *picture++ *= static_cast<float>(m);
  };
  const auto scores =
      scores_of_changed(r.network, r.confidence, r.x, static_cast<std::int64_t>(chosen.size()), r.options.batch, seen_through);
  std::vector<double> weights(static_cast<std::size_t>(a.channels));
  if (scores.empty()) return weights;
  const double most = *std::max_element(scores.begin(), scores.end());  // the blank picture's score cancels in the softmax
  double total = 0;
  for (const double s : scores) total += std::exp(s - most);
  for (std::size_t i = 0; i < scores.size(); ++i)
    weights[static_cast<std::size_t>(chosen[i])] = std::exp(scores[i] - most) / total;
  return weights;
}

}  // namespace

Explanation score_cam(const Request& r) {
  const ForwardFunction::Values v = r.network.values(r.x, glob_of(r.layers));
  Explanation out;
  for (const Layer& l : r.layers) {
    const Activations a = activations_of(find_kept(v.taps, l.name), l);
    out.maps.push_back(weighted_map(a, l, weights_of(r, a, l)));
  }
  return out;
}

}  // namespace fovea::explain
