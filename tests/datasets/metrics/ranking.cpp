#include "datasets/metrics/ranking.hpp"

#include <cmath>

#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"

using namespace fovea;

TEST_CASE("ranking: the share of pairs in order is that of all pairs, one by one") {
  Random random(4);
  std::vector<double> low, high;
  for (int i = 0; i < 60; ++i) low.push_back(std::round(10 * random.normal()));
  for (int i = 0; i < 35; ++i) high.push_back(std::round(10 * random.normal() + 6));
  double pairs = 0;
  for (const double a : low)
    for (const double b : high) pairs += b > a ? 1 : b == a ? 0.5 : 0;
  const double area = pairs / (60.0 * 35);
  CHECK(pairs_in_order(low, high) == Approx(area));
  CHECK(pairs_in_order(high, low) == Approx(1 - area));
  const auto interval = pairs_in_order_interval(low, high);
  CHECK(interval[0] < area);
  CHECK(interval[1] > area);
  // Hanley and McNeil 1982, for normal scores: the deviation of the area.
  const double q1 = area / (2 - area), q2 = 2 * area * area / (1 + area);
  const double deviation = std::sqrt((area * (1 - area) + 34 * (q1 - area * area) + 59 * (q2 - area * area)) / (60.0 * 35));
  CHECK(interval[1] - interval[0] == Approx(2 * 1.96 * deviation).epsilon(0.25));
}

TEST_CASE("ranking: apart, alike, and without one of the kinds") {
  CHECK(pairs_in_order({1, 2}, {3, 4}) == 1);
  CHECK(pairs_in_order({1, 1}, {1}) == 0.5);
  CHECK(std::isnan(pairs_in_order({}, {1})));
  CHECK(std::isnan(pairs_in_order_interval({1}, {})[0]));
}
