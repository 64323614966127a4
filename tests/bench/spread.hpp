// Ratios of times that were taken in turn: of each pair one, their median and quartiles. A burst of other work falls on both sides of a
// pair, and pairs that it tears apart show in the quartiles.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace fovea::bench {

double median(std::vector<double> values);

struct Spread {
  double median, lower, upper;  // quartiles, interpolated between neighbours

  Spread times(double factor) const { return {median * factor, lower * factor, upper * factor}; }
};
Spread spread(std::vector<double> values);

// Gives the seconds that one run took.
using Run = std::function<double()>;

// What runs took, in seconds: run i of every round.
class Times {
 public:
  explicit Times(std::size_t runs) : seconds_(runs) {}
  void add(std::size_t run, double seconds) { seconds_.at(run).push_back(seconds); }

  double median(std::size_t run) const { return bench::median(seconds_.at(run)); }
  // How many times as long as `other` the run took, round by round.
  Spread over(std::size_t run, std::size_t other) const;

 private:
  std::vector<std::vector<double>> seconds_;
};

// Every round runs each once, in turn; one round before these warms caches and is not counted.
Times interleaved(int rounds, const std::vector<Run>& runs);

}  // namespace fovea::bench
