#include "pipeline/stages/tiles.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "modules/core/error.hpp"

namespace fovea {
namespace {

struct Span {
  int begin, length;
};

int parts(int length, int core) { return (length + core - 1) / core; }

Span core_span(int length, int count, int i) {
  const auto edge = [&](int k) { return static_cast<int>(std::int64_t{length} * k / count); };
  return {edge(i), edge(i + 1) - edge(i)};
}

// A window that the border would cut is moved inwards instead: the extra pixels inside cost little, another shape costs
// a set of primitives.
Span window_span(int length, int count, int halo, Span core) {
  const auto size = static_cast<int>(std::min<std::int64_t>(length, std::int64_t{parts(length, count)} + 2 * std::int64_t{halo}));
  return {std::clamp(core.begin - halo, 0, length - size), size};
}

}  // namespace

std::vector<Tile> plan_tiles(cv::Size image, cv::Size core, int halo) {
  check(image.width > 0 && image.height > 0, "tiles: expected an image, got ", image.width, "x", image.height);
  check(core.width > 0 && core.height > 0 && halo >= 0, "tiles: expected tiles of at least 1x1 and a halo of at least 0, got ",
        core.width, "x", core.height, " and ", halo);
  const int columns = parts(image.width, std::min(core.width, image.width));
  const int rows = parts(image.height, std::min(core.height, image.height));
  std::vector<Tile> tiles;
  tiles.reserve(static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows));
  for (int row = 0; row < rows; ++row) {
    const Span cy = core_span(image.height, rows, row), wy = window_span(image.height, rows, halo, cy);
    for (int column = 0; column < columns; ++column) {
      const Span cx = core_span(image.width, columns, column), wx = window_span(image.width, columns, halo, cx);
      tiles.push_back({{wx.begin, wy.begin, wx.length, wy.length}, {cx.begin, cy.begin, cx.length, cy.length}});
    }
  }
  return tiles;
}

cv::Size choose_core(cv::Size image, int halo, std::size_t pixels) {
  check(image.width > 0 && image.height > 0, "tiles: expected an image, got ", image.width, "x", image.height);
  const auto area = static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
  if (area <= pixels) return image;
  const auto room = [&](std::size_t window) {
    const auto side = static_cast<std::int64_t>(std::min<std::size_t>(window, INT32_MAX));
    return static_cast<int>(std::max<std::int64_t>({side - 2 * std::int64_t{halo}, halo, 16}));
  };
  const auto side = static_cast<std::size_t>(std::sqrt(static_cast<double>(pixels)));
  const auto narrow = static_cast<std::size_t>(std::min(image.width, image.height));
  if (narrow > side) return {room(side), room(side)};
  const int length = room(pixels / narrow);
  return image.width < image.height ? cv::Size(image.width, length) : cv::Size(length, image.height);
}

std::vector<cv::Rect> sample_windows(cv::Size image, int side, int count) {
  check(side > 0 && count > 0, "tiles: expected samples of at least 1 pixel and at least one of them, got ", side, " and ",
        count);
  std::vector<cv::Rect> windows;
  const int width = std::min(side, image.width), height = std::min(side, image.height);
  if (std::int64_t{parts(image.width, width)} * parts(image.height, height) <= count) {
    for (const Tile& tile : plan_tiles(image, {width, height}, 0)) windows.push_back(tile.core);
    return windows;
  }
  // Roberts' R2 sequence: low discrepancy in the plane for any count, where a regular grid can fall in step with the picture.
  const auto place = [](int i, double step, int room) {
    const double at = 0.5 + step * (i + 1);
    return static_cast<int>((at - std::floor(at)) * (room + 1));
  };
  for (int i = 0; i < count; ++i)
    windows.push_back(
        {place(i, 0.7548776662466927, image.width - width), place(i, 0.5698402909980532, image.height - height), width, height});
  return windows;
}

}  // namespace fovea
