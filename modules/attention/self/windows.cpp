#include "modules/attention/self/windows.hpp"

#include <cmath>

#include "modules/ops/pad.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/take.hpp"
#include "modules/ops/unary.hpp"
#include "modules/ops/where.hpp"

namespace fovea {
namespace {

Var indices(const std::vector<std::int64_t>& values, const Shape& shape) { return Var(Tensor::from(values, shape)); }

std::int64_t up(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }

// 0, 1, 2: before the last window, in it but not rolled around, rolled around.
std::int64_t region(std::int64_t at, std::int64_t size, std::int64_t window, std::int64_t shift) {
  if (shift == 0) return 0;
  return at < size - window ? 0 : at < size - shift ? 1 : 2;
}

}  // namespace

WindowGrid::WindowGrid(Extent map, Extent window, Extent shift, bool pad_first)
    : map_(map), window_(window), shift_(shift), padded_{up(map.rows, window.rows), up(map.columns, window.columns)} {
  check(window.rows > 0 && window.columns > 0 && map.area() > 0, "windows: expected a window and a map that are not empty");
  check(shift.rows >= 0 && shift.columns >= 0 && shift.rows < window.rows && shift.columns < window.columns,
        "windows: expected a shift below the window ", window.rows, "x", window.columns, ", got ", shift.rows, "x",
        shift.columns);
  const Extent rolled = pad_first ? padded_ : map_;
  to_.resize(static_cast<std::size_t>(map.area()));
  for (std::int64_t a = 0; a < padded_.rows; a += window.rows)
    for (std::int64_t b = 0; b < padded_.columns; b += window.columns)
      for (std::int64_t i = 0; i < window.area(); ++i) {
        std::int64_t r = a + i / window.columns, c = b + i % window.columns;
        if (r < rolled.rows && c < rolled.columns) {
          r = (r + shift.rows) % rolled.rows;
          c = (c + shift.columns) % rolled.columns;
        }
        const bool real = r < map.rows && c < map.columns;
        if (real) to_[static_cast<std::size_t>(r * map.columns + c)] = static_cast<std::int64_t>(from_.size());
        from_.push_back(real ? r * map.columns + c : map.area());
      }
}

Var WindowGrid::cut(const Var& tokens) const {
  const std::int64_t n = tokens.dim(0), c = tokens.dim(2);
  const Var all = padded_ == map_ ? tokens : pad(tokens, {0, 0, 0}, {0, 1, 0});
  const Var placed = index_select(all, 1, indices(from_, {padded_.area()}));
  return reshape(placed, {n * padded_.area() / window_.area(), window_.area(), c});
}

Var WindowGrid::join(const Var& windows) const {
  const std::int64_t c = windows.dim(2);
  return index_select(reshape(windows, {-1, padded_.area(), c}), 1, indices(to_, {map_.area()}));
}

std::vector<int> WindowGrid::regions(std::int64_t w) const {
  const std::int64_t across = padded_.columns / window_.columns;
  std::vector<int> of;
  for (std::int64_t i = 0; i < window_.area(); ++i)
    of.push_back(3 * region(w / across * window_.rows + i / window_.columns, padded_.rows, window_.rows, shift_.rows) +
                 region(w % across * window_.columns + i % window_.columns, padded_.columns, window_.columns, shift_.columns));
  return of;
}

Var WindowGrid::mask() const {
  if (shift_.rows == 0 && shift_.columns == 0) return {};
  const std::int64_t area = window_.area();
  Tensor mask = Tensor::zeros({windows(), 1, area, area});
  float* at = mask.data<float>();
  for (std::int64_t w = 0; w < windows(); ++w) {
    const std::vector<int> of = regions(w);
    for (const int query : of)
      for (const int key : of) *at++ = query == key ? 0 : -100;
  }
  return mask;
}

Var WindowGrid::received(const Var& weights) const {
  const std::int64_t area = window_.area(), heads = weights.dim(1);
  Tensor apart = Tensor::empty({1, windows(), 1, area, area}, DType::boolean);
  bool* at = apart.data<bool>();
  for (std::int64_t w = 0; w < windows(); ++w) {
    const std::vector<int> of = regions(w);
    for (std::size_t i = 0; i < of.size(); ++i) {
      const bool padding = from_[static_cast<std::size_t>(w * area) + i] == map_.area();
      for (const int key : of) *at++ = padding || of[i] != key;
    }
  }
  const Var met = masked_fill(reshape(weights, {-1, windows(), heads, area, area}), Var(apart), 0);
  const Var positions = reshape(permute(sum(met, {3}, false), {0, 1, 3, 2}), {-1, padded_.area(), heads});
  const Var on_map = permute(index_select(positions, 1, indices(to_, {map_.area()})), {0, 2, 1});
  return scale(reshape(on_map, {-1, heads, 1, map_.area()}), 1.0 / static_cast<double>(map_.area()));
}

Var relative_positions(Extent window, Extent full) {
  const std::int64_t area = window.area();
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < area; ++i)
    for (std::int64_t j = 0; j < area; ++j) {
      const std::int64_t rows = i / window.columns - j / window.columns, columns = i % window.columns - j % window.columns;
      values.push_back((rows + full.rows - 1) * (2 * full.columns - 1) + columns + full.columns - 1);
    }
  return indices(values, {area, area});
}

Tensor log_offsets(Extent window, Extent pretrained) {
  const auto scaled = [](std::int64_t offset, std::int64_t side) {
    const double o = 8.0 * static_cast<double>(offset) / static_cast<double>(std::max<std::int64_t>(1, side - 1));
    return static_cast<float>(std::copysign(std::log2(1 + std::abs(o)) / 3, o));
  };
  std::vector<float> values;
  for (std::int64_t r = 1 - window.rows; r < window.rows; ++r)
    for (std::int64_t c = 1 - window.columns; c < window.columns; ++c) {
      values.push_back(scaled(r, pretrained.rows));
      values.push_back(scaled(c, pretrained.columns));
    }
  return Tensor::from(values, {static_cast<std::int64_t>(values.size()) / 2, 2});
}

}  // namespace fovea
