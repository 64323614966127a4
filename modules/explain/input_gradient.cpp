// Saliency: the largest |d score / d x| over the channels of each pixel. Simonyan et al. 2014, arXiv:1312.6034.
#include <algorithm>
#include <cmath>

#include "modules/explain/pixels.hpp"

namespace fovea::explain {

std::vector<double> input_gradients(const Request& r, const Tensor& x) {
  return gradients_of(r.network, r.score, x, {}, true).input.permute({0, 2, 3, 1}).values();
}

Map largest_over_channels(const std::string& name, const Tensor& x, const std::vector<double>& gradients) {
  Map map{name, pixel_grid(x.dim(2), x.dim(3)), {}};
  const auto depth = static_cast<std::size_t>(x.dim(1));
  for (std::size_t i = 0; i < gradients.size(); i += depth) {
    double most = 0;
    for (std::size_t c = 0; c < depth; ++c) most = std::max(most, std::abs(gradients[i + c]));
    map.values.push_back(most);
  }
  return map;
}

Explanation input_gradient(const Request& r) {
  return {{largest_over_channels("input_gradient", r.x, input_gradients(r, r.x))}, {}, {}};
}

}  // namespace fovea::explain
