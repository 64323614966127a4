#include "pipeline/tracking/assignment.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "modules/core/error.hpp"

namespace fovea {
namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

// Gives every row a column, rows <= columns. Costs are relative to the limit: 0 stands for apart.
class DenseAssignment {
 public:
  DenseAssignment(std::size_t rows, std::size_t columns)
      : columns_(columns),
        costs_(rows * columns, 0.0),
        row_price_(rows),
        column_price_(columns, 0.0),
        column_of_(rows, kNone),
        row_of_(columns, kNone),
        from_(columns),
        distance_(columns) {}

  void offer(std::size_t row, std::size_t column, double cost) {
    double& kept = costs_[row * columns_ + column];
    kept = std::min(kept, cost);
  }
  double cost(std::size_t row, std::size_t column) const { return costs_[row * columns_ + column]; }

  const std::vector<std::size_t>& solve() {
    for (std::size_t row = 0; row < row_price_.size(); ++row) {
      const double* costs = &costs_[row * columns_];
      row_price_[row] = *std::min_element(costs, costs + columns_);
    }
    for (std::size_t row = 0; row < row_price_.size(); ++row) add(row);
    return column_of_;
  }

 private:
  // Dijkstra's search over reduced costs, from `root` to the nearest column without a row.
  void add(std::size_t root) {
    std::fill(distance_.begin(), distance_.end(), std::numeric_limits<double>::infinity());
    open_.resize(columns_);
    std::iota(open_.begin(), open_.end(), std::size_t{0});
    closed_.clear();
    double reached = 0;
    std::size_t row = root, column = kNone;
    for (;;) {
      const std::size_t nearest = relax(row, reached);
      column = open_[nearest];
      reached = distance_[column];
      if (row_of_[column] == kNone) break;
      open_[nearest] = open_.back();
      open_.pop_back();
      closed_.push_back(column);
      row = row_of_[column];
    }
    row_price_[root] += reached;
    for (const std::size_t c : closed_) {
      row_price_[row_of_[c]] += reached - distance_[c];
      column_price_[c] -= reached - distance_[c];
    }
    flip(root, column);
  }

  // Shortens ways by going through `row`; gives the place in open_ of the nearest column, a free one among equals.
  std::size_t relax(std::size_t row, double reached) {
    const double* costs = &costs_[row * columns_];
    const double base = reached - row_price_[row];
    std::size_t nearest = 0;
    double lowest = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < open_.size(); ++k) {
      const std::size_t c = open_[k];
      const double way = base + costs[c] - column_price_[c];
      if (way < distance_[c]) distance_[c] = way, from_[c] = row;
      if (distance_[c] < lowest || (distance_[c] == lowest && row_of_[c] == kNone && row_of_[open_[nearest]] != kNone))
        lowest = distance_[c], nearest = k;
    }
    return nearest;
  }

  // Along the way back every row takes the column by which it was left.
  void flip(std::size_t root, std::size_t column) {
    for (std::size_t row = kNone; row != root;) {
      row = from_[column];
      row_of_[column] = row;
      std::swap(column, column_of_[row]);
    }
  }

  std::size_t columns_;
  std::vector<double> costs_, row_price_, column_price_;
  std::vector<std::size_t> column_of_, row_of_, from_, open_, closed_;
  std::vector<double> distance_;
};

// Sets of nodes; the lowest of a set names it.
class Groups {
 public:
  explicit Groups(std::size_t nodes) : parent_(nodes) { std::iota(parent_.begin(), parent_.end(), std::size_t{0}); }

  std::size_t of(std::size_t node) {
    while (parent_[node] != node) node = parent_[node] = parent_[parent_[node]];
    return node;
  }
  void join(std::size_t a, std::size_t b) {
    a = of(a), b = of(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::size_t> parent_;
};

std::vector<std::size_t> distinct(std::span<const PairCost> candidates, std::size_t PairCost::*side) {
  std::vector<std::size_t> out;
  for (const PairCost& c : candidates) out.push_back(c.*side);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::size_t place(const std::vector<std::size_t>& sorted, std::size_t value) {
  return static_cast<std::size_t>(std::lower_bound(sorted.begin(), sorted.end(), value) - sorted.begin());
}

// One connected group.
void join_group(std::span<const PairCost> group, double limit, std::vector<std::optional<std::size_t>>& column_of) {
  const std::vector<std::size_t> rows = distinct(group, &PairCost::row), columns = distinct(group, &PairCost::column);
  const bool turned = rows.size() > columns.size();
  DenseAssignment dense(std::min(rows.size(), columns.size()), std::max(rows.size(), columns.size()));
  for (const PairCost& c : group) {
    std::size_t row = place(rows, c.row), column = place(columns, c.column);
    if (turned) std::swap(row, column);
    dense.offer(row, column, c.cost - limit);
  }
  const std::vector<std::size_t>& chosen = dense.solve();
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (!(dense.cost(i, chosen[i]) < 0)) continue;
    const std::size_t row = turned ? chosen[i] : i, column = turned ? i : chosen[i];
    column_of[rows[row]] = columns[column];
  }
}

}  // namespace

std::vector<std::optional<std::size_t>> assign(std::size_t rows, std::size_t columns, std::span<const PairCost> candidates,
                                               double limit) {
  check(std::isfinite(limit), "assign: expected a finite limit, got ", limit);
  Groups groups(rows + columns);
  for (const PairCost& c : candidates) {
    check(c.row < rows && c.column < columns, "assign: expected a pair of ", rows, " rows and ", columns, " columns, got row ",
          c.row, " and column ", c.column);
    check(c.cost > -std::numeric_limits<double>::infinity(), "assign: expected a cost that is a number, got ", c.cost);
    if (c.cost < limit) groups.join(c.row, rows + c.column);
  }
  // Rows are numbered before columns: the name of a group of candidates is a row.
  std::vector<std::vector<PairCost>> members(rows);
  for (const PairCost& c : candidates)
    if (c.cost < limit) members[groups.of(c.row)].push_back(c);
  std::vector<std::optional<std::size_t>> column_of(rows);
  for (const std::vector<PairCost>& group : members)
    if (!group.empty()) join_group(group, limit, column_of);
  return column_of;
}

}  // namespace fovea
