#include "datasets/metrics/resamples.hpp"

#include <algorithm>
#include <cmath>

#include "modules/core/random.hpp"

namespace fovea {
namespace {

constexpr int kResamples = 1000;
constexpr std::uint64_t kSeed = 20161004;

}  // namespace

void for_each_resample(std::size_t pictures, const std::function<void(const std::vector<std::size_t>& drawn)>& f) {
  Random random(kSeed);
  std::vector<std::size_t> drawn(pictures);
  for (int k = 0; k < kResamples; ++k) {
    for (std::size_t& d : drawn) d = static_cast<std::size_t>(random.below(static_cast<std::int64_t>(pictures)));
    f(drawn);
  }
}

std::array<double, 2> resampled_interval(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double part) {
    return values[static_cast<std::size_t>(std::lround(part * static_cast<double>(values.size() - 1)))];
  };
  return {at(0.025), at(0.975)};
}

double quantile(const std::vector<double>& sorted, double part) {
  const double at = part * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at), high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

}  // namespace fovea
