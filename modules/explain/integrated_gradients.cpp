// Integrated gradients: x times the mean of d score / d x on the straight way from the blank picture (the mean colour, 0) to x, summed
// over channels, signed. The attributions add up to score(x) - score(0): `completeness_error` says how nearly.
// Sundararajan et al. 2017, arXiv:1703.01365. Steps in the middle of equal pieces.
#include <cmath>

#include "modules/explain/pixels.hpp"

namespace fovea::explain {

Explanation integrated_gradients(const Request& r) {
  const std::int64_t steps = r.options.steps;
  check(steps > 0, "integrated_gradients: expected at least one step, got ", steps);
  const auto whole = r.x.permute({0, 2, 3, 1}).values();
  const auto depth = static_cast<std::size_t>(r.x.dim(1));
  Map map{"integrated_gradients", pixel_grid(r.x.dim(2), r.x.dim(3)), std::vector<double>(whole.size() / depth)};
  for (std::int64_t i = 0; i < steps; ++i) {
    const double part = (static_cast<double>(i) + 0.5) / static_cast<double>(steps);
    Tensor x = Tensor::like(r.x);
    std::vector<double> values = r.x.values();
    for (double& v : values) v *= part;
    x.copy_from(Tensor::from(values, r.x.shape()));
    const auto g = input_gradients(r, x);
    for (std::size_t k = 0; k < g.size(); ++k) map.values[k / depth] += g[k] * whole[k] / static_cast<double>(steps);
  }
  double total = 0;
  for (const double v : map.values) total += v;
  const double difference = scores_of(r.network, r.score, r.x).front() -
                            scores_of(r.network, r.score, Tensor::zeros(r.x.shape(), r.x.dtype(), r.x.layout())).front();
  return {
      {std::move(map)},
      {},
      {{"sum_of_attributions", total}, {"score_difference", difference}, {"completeness_error", std::abs(total - difference)}}};
}

}  // namespace fovea::explain
