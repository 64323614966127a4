#include "modules/explain/grid.hpp"

#include <algorithm>
#include <cmath>

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

double Map::at(double y, double x) const {
  const Between r = between(y, grid.start_y, grid.stride_y, grid.height), c = between(x, grid.start_x, grid.stride_x, grid.width);
  const auto wide = static_cast<std::size_t>(grid.width);
  const auto row = [&](std::size_t i) { return values[i * wide + c.low] * (1 - c.t) + values[i * wide + c.high] * c.t; };
  return row(r.low) * (1 - r.t) + row(r.high) * r.t;
}

std::vector<double> Map::on_pixels(std::int64_t height, std::int64_t width) const {
  std::vector<double> out;
  out.reserve(static_cast<std::size_t>(height * width));
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) out.push_back(at(static_cast<double>(y), static_cast<double>(x)));
  return out;
}

}  // namespace fovea::explain
