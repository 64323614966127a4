#include <cmath>
#include <vector>

#include "modules/attention/self/favor.hpp"

namespace fovea {
namespace {

using Row = std::vector<double>;

double dot(const Row& a, const Row& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

Row gaussian(std::size_t d, Random& random) {
  Row row(d);
  for (double& v : row) v = random.normal();
  return row;
}

// The next row of the orthogonal factor: a Gaussian one less its parts along the rows before, twice for digits (Gram-Schmidt),
// which makes the factor uniform among rotations and reflections (Mezzadri 2006, arXiv:math-ph/0609050).
Row next_row(const std::vector<Row>& block, std::size_t d, Random& random) {
  Row row = gaussian(d, random);
  for (int pass = 0; pass < 2; ++pass)
    for (const Row& before : block) {
      const double along = dot(row, before);
      for (std::size_t i = 0; i < d; ++i) row[i] -= along * before[i];
    }
  const double length = std::sqrt(dot(row, row));
  for (double& v : row) v /= length;
  return row;
}

}  // namespace

Init orthogonal_features(bool fixed_norms) {
  return [=](Tensor& t, Random& random) {
    const auto d = static_cast<std::size_t>(t.dim(1));
    std::vector<Row> block;
    std::vector<float> values;
    for (std::int64_t r = 0; r < t.dim(0); ++r) {
      if (block.size() == d) block.clear();
      block.push_back(next_row(block, d, random));
      double length = std::sqrt(static_cast<double>(d));
      if (!fixed_norms) {
        const Row other = gaussian(d, random);
        length = std::sqrt(dot(other, other));
      }
      for (const double v : block.back()) values.push_back(static_cast<float>(v * length));
    }
    t.copy_from(Tensor::from(values, t.shape()));
  };
}

}  // namespace fovea
