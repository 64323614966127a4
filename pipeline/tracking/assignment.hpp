// Which rows go with which columns at the least cost: the linear assignment problem, solved by shortest augmenting paths.
// Jonker and Volgenant 1987, A shortest augmenting path algorithm for dense and sparse linear assignment problems.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace fovea {

// A row and a column that may be joined.
struct PairCost {
  std::size_t row = 0, column = 0;
  double cost = 0;
};

// The column of each row; none where it stays alone. No column has two rows. A pair that stays apart costs `limit`, so joined
// are pairs that cost less, and the sum of cost - limit over them is the least possible: a good pair is not given up for two
// poor ones. Of a pair that is listed twice the lower cost counts; what is not listed, or costs infinity, is never joined.
// Among equal sums the choice is always the same. Error for indices beyond rows and columns, for costs of NaN or minus infinity
// and for a limit that is not finite. O(n^2 m) for the n rows and m columns (n <= m, or the other way round) of each connected
// group of candidates.
std::vector<std::optional<std::size_t>> assign(std::size_t rows, std::size_t columns, std::span<const PairCost> candidates,
                                               double limit);

}  // namespace fovea
