#include "tests/bench/spread.hpp"

#include <algorithm>
#include <cmath>

#include "modules/core/error.hpp"

namespace fovea::bench {
namespace {

double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at), above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - std::floor(at)) * (sorted[above] - sorted[below]);
}

}  // namespace

Spread spread(std::vector<double> values) {
  check(!values.empty(), "bench: expected at least one value");
  std::sort(values.begin(), values.end());
  return {quantile(values, 0.5), quantile(values, 0.25), quantile(values, 0.75)};
}

double median(std::vector<double> values) { return spread(std::move(values)).median; }

Spread Times::over(std::size_t run, std::size_t other) const {
  std::vector<double> ratios;
  for (std::size_t round = 0; round < seconds_.at(run).size(); ++round)
    ratios.push_back(seconds_[run][round] / seconds_.at(other).at(round));
  return spread(std::move(ratios));
}

Times interleaved(int rounds, const std::vector<Run>& runs) {
  Times times(runs.size());
  for (int round = -1; round < rounds; ++round)
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const double t = runs[i]();
      if (round >= 0) times.add(i, t);
    }
  return times;
}

}  // namespace fovea::bench
