// SmoothGrad: the input gradient's mean over copies with normal noise. Smilkov et al. 2017, arXiv:1706.03825.
#include <algorithm>

#include "modules/core/random.hpp"
#include "modules/explain/pixels.hpp"

namespace fovea::explain {

Explanation smooth_grad(const Request& r) {
  check(r.options.samples > 0, "smooth_grad: expected at least one sample, got ", r.options.samples);
  const auto values = r.x.values();
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  Random random(r.options.seed);
  std::vector<double> mean(values.size());
  for (std::int64_t i = 0; i < r.options.samples; ++i) {
    Tensor noisy = Tensor::like(r.x);
    random.fill_normal(noisy, 0, r.options.noise * (*high - *low));
    const auto shift = noisy.values();
    std::vector<double> sum(values);
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += shift[k];
    noisy.copy_from(Tensor::from(sum, r.x.shape()));
    const auto g = input_gradients(r, noisy);
    for (std::size_t k = 0; k < g.size(); ++k) mean[k] += g[k] / static_cast<double>(r.options.samples);
  }
  return {{largest_over_channels("smooth_grad", r.x, mean)}, {}, {}};
}

}  // namespace fovea::explain
