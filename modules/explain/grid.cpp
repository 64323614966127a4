#include "modules/explain/grid.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace fovea::explain {
namespace {

// The two cells around a position, and how far it is from the first to the second.
struct Between {
  std::size_t low, high;
  double t;
};

Between between(double place, double start, double stride, std::int64_t cells) {
  const double at = std::clamp((place - start) / stride, 0.0, static_cast<double>(cells - 1));
  const auto low = static_cast<std::size_t>(at);
  return {low, std::min(low + 1, static_cast<std::size_t>(cells - 1)), at - static_cast<double>(low)};
}

}  // namespace

Grid pixel_grid(std::int64_t height, std::int64_t width) { return {.height = height, .width = width}; }

Grid even_grid(std::int64_t cells_high, std::int64_t cells_wide, std::int64_t height, std::int64_t width) {
  Grid g{.height = cells_high, .width = cells_wide, .exact = false};
  g.stride_y = static_cast<double>(height) / static_cast<double>(cells_high);
  g.stride_x = static_cast<double>(width) / static_cast<double>(cells_wide);
  g.start_y = (g.stride_y - 1) / 2;
  g.start_x = (g.stride_x - 1) / 2;
  return g;
}

double Map::at(double y, double x) const { return at(std::span(&y, 1), std::span(&x, 1)).front(); }

std::vector<double> Map::at(std::span<const double> ys, std::span<const double> xs) const {
  std::vector<Between> columns;
  columns.reserve(xs.size());
  for (const double x : xs) columns.push_back(between(x, grid.start_x, grid.stride_x, grid.width));
  std::vector<double> out;
  out.reserve(ys.size() * xs.size());
  for (const double y : ys) {
    const Between r = between(y, grid.start_y, grid.stride_y, grid.height);
    const double* const low = values.data() + r.low * static_cast<std::size_t>(grid.width);
    const double* const high = values.data() + r.high * static_cast<std::size_t>(grid.width);
    for (const Between& c : columns)
      out.push_back((low[c.low] * (1 - c.t) + low[c.high] * c.t) * (1 - r.t) +
                    (high[c.low] * (1 - c.t) + high[c.high] * c.t) * r.t);
  }
  return out;
}

std::vector<double> Map::on_pixels(std::int64_t height, std::int64_t width) const {
  std::vector<double> ys(static_cast<std::size_t>(height)), xs(static_cast<std::size_t>(width));
  std::iota(ys.begin(), ys.end(), 0.0);
  std::iota(xs.begin(), xs.end(), 0.0);
  return at(ys, xs);
}

}  // namespace fovea::explain
