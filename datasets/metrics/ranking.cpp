#include "datasets/metrics/ranking.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "datasets/metrics/resamples.hpp"

namespace fovea {

double pairs_in_order(std::vector<double> low, std::vector<double> high) {
  if (low.empty() || high.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(low.begin(), low.end());
  double pairs = 0;
  for (const double score : high) {
    const auto [first, last] = std::equal_range(low.begin(), low.end(), score);
    pairs += static_cast<double>(first - low.begin()) + 0.5 * static_cast<double>(last - first);
  }
  return pairs / (static_cast<double>(low.size()) * static_cast<double>(high.size()));
}

std::array<double, 2> pairs_in_order_interval(const std::vector<double>& low, const std::vector<double>& high) {
  std::vector<double> values;
  for_each_resample(low.size() + high.size(), [&](const std::vector<std::size_t>& drawn) {
    std::vector<double> some_low, some_high;
    for (const std::size_t i : drawn)
      if (i < low.size()) some_low.push_back(low[i]);
      else some_high.push_back(high[i - low.size()]);
    if (!some_low.empty() && !some_high.empty()) values.push_back(pairs_in_order(std::move(some_low), std::move(some_high)));
  });
  if (values.empty()) return {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
  return resampled_interval(std::move(values));
}

}  // namespace fovea
