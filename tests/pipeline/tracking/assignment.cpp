#include "pipeline/tracking/assignment.hpp"

#include <cmath>
#include <limits>
#include <set>

#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using test::fails_with;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A matrix of costs, infinity where a pair is forbidden.
struct Costs {
  std::size_t rows, columns;
  std::vector<double> values;

  double at(std::size_t r, std::size_t c) const { return values[r * columns + c]; }
  std::vector<PairCost> candidates() const {
    std::vector<PairCost> out;
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < columns; ++c) out.push_back({r, c, at(r, c)});
    return out;
  }
};

Costs random_costs(Random& random, bool coarse) {
  Costs costs{static_cast<std::size_t>(random.below(7)), static_cast<std::size_t>(random.below(7)), {}};
  const double forbidden = random.uniform();
  for (std::size_t i = 0; i < costs.rows * costs.columns; ++i) {
    const double cost = coarse ? static_cast<double>(random.below(4)) - 1 : 3 * random.uniform() - 1;
    costs.values.push_back(random.uniform() < forbidden ? kInfinity : cost);
  }
  return costs;
}

// The least sum of cost - limit over all ways to join rows to columns, row by row.
double least(const Costs& costs, double limit, std::size_t row = 0, unsigned used = 0) {
  if (row == costs.rows) return 0;
  double best = least(costs, limit, row + 1, used);
  for (std::size_t c = 0; c < costs.columns; ++c)
    if (!(used >> c & 1) && costs.at(row, c) < limit)
      best = std::min(best, costs.at(row, c) - limit + least(costs, limit, row + 1, used | 1u << c));
  return best;
}

// Of a result; that no column has two rows is checked on the way.
double sum_of(const Costs& costs, double limit, const std::vector<std::optional<std::size_t>>& columns) {
  REQUIRE(columns.size() == costs.rows);
  std::set<std::size_t> used;
  double sum = 0;
  for (std::size_t r = 0; r < costs.rows; ++r) {
    if (!columns[r]) continue;
    REQUIRE(used.insert(*columns[r]).second);
    REQUIRE(costs.at(r, *columns[r]) < limit);
    sum += costs.at(r, *columns[r]) - limit;
  }
  return sum;
}

}  // namespace

TEST_CASE("assignment: as good as the best of all ways, whatever the shape, the limit and what is forbidden", "[tracking]") {
  for (std::uint64_t i = 0; i < 4000; ++i) {
    INFO("case " << i);
    Random random(21, i);
    const Costs costs = random_costs(random, i % 2 == 0);
    const double limit = i % 5 == 0 ? 100 : 2 * random.uniform();
    const auto candidates = costs.candidates();
    const auto columns = assign(costs.rows, costs.columns, candidates, limit);
    CHECK(sum_of(costs, limit, columns) == Approx(least(costs, limit)).margin(1e-9));
    CHECK(assign(costs.rows, costs.columns, candidates, limit) == columns);
  }
}

TEST_CASE("assignment: large matrices are solved as their prices prove", "[tracking]") {
  // Of a matrix u_r + v_c + w with w = 0 on a hidden permutation and above 0 elsewhere that permutation is the best.
  Random random(22);
  const std::size_t n = 120;
  std::vector<double> u, v;
  std::vector<std::size_t> hidden;
  for (std::size_t i = 0; i < n; ++i) u.push_back(random.normal()), v.push_back(random.normal()), hidden.push_back(i);
  for (std::size_t i = n; i-- > 1;) {
    const auto other = static_cast<std::size_t>(random.below(static_cast<std::int64_t>(i) + 1));
    std::swap(hidden[i], hidden[other]);
  }
  std::vector<PairCost> candidates;
  for (std::size_t r = 0; r < n; ++r)
    for (std::size_t c = 0; c < n; ++c)
      candidates.push_back({r, c, u[r] + v[c] + (hidden[r] == c ? 0 : 0.01 + random.uniform())});
  const auto columns = assign(n, n, candidates, 1000);
  for (std::size_t r = 0; r < n; ++r) CHECK(columns[r] == hidden[r]);
}

TEST_CASE("assignment: a good pair is not given up for two poor ones, unless the limit says so", "[tracking]") {
  const std::vector<PairCost> candidates{{0, 0, 0.1}, {0, 1, 0.7}, {1, 0, 0.7}};
  CHECK(assign(2, 2, candidates, 0.8) == std::vector<std::optional<std::size_t>>{0, std::nullopt});
  CHECK(assign(2, 2, candidates, 5) == std::vector<std::optional<std::size_t>>{1, 0});
  CHECK(assign(2, 2, candidates, 0.1) == std::vector<std::optional<std::size_t>>(2));
}

TEST_CASE("assignment: nothing to join, pairs listed twice, pairs that make no sense", "[tracking]") {
  using Pairs = std::vector<PairCost>;
  CHECK(assign(0, 0, {}, 1).empty());
  CHECK(assign(0, 5, {}, 1).empty());
  CHECK(assign(3, 0, {}, 1) == std::vector<std::optional<std::size_t>>(3));
  CHECK(assign(1, 2, Pairs{{0, 0, 0.5}, {0, 1, 0.6}, {0, 1, 0.4}}, 1).at(0) == 1);
  CHECK(assign(1, 2, Pairs{{0, 0, 0.5}, {0, 1, 0.4}, {0, 1, 0.6}}, 1).at(0) == 1);
  CHECK(!assign(1, 1, Pairs{{0, 0, kInfinity}}, 1).at(0));
  CHECK(fails_with([] { assign(2, 2, Pairs{{2, 0, 0.5}}, 1); }, "expected a pair of 2 rows and 2 columns, got row 2"));
  CHECK(fails_with([] { assign(2, 2, Pairs{{0, 9, 0.5}}, 1); }, "column 9"));
  CHECK(fails_with([] { assign(1, 1, Pairs{{0, 0, std::nan("")}}, 1); }, "a cost that is a number"));
  CHECK(fails_with([] { assign(1, 1, Pairs{{0, 0, -kInfinity}}, 1); }, "a cost that is a number"));
  CHECK(fails_with([] { assign(1, 1, {}, kInfinity); }, "a finite limit"));
}
