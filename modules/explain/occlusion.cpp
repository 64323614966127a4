// Occlusion: how much the score falls when a window of mean colour hides a position. Zeiler & Fergus 2014, arXiv:1311.2901.
// A cell of the map is centred on its window; windows at the border are cut, so that the whole picture is covered.
#include <algorithm>

#include "modules/explain/methods.hpp"

namespace fovea::explain {
namespace {

struct Span {
  std::int64_t begin, end;
};

// The pixels of a window around cell i.
Span span_of(std::int64_t i, std::int64_t window, std::int64_t stride, std::int64_t size) {
  const std::int64_t begin = i * stride + (stride - window) / 2;
  return {std::max<std::int64_t>(begin, 0), std::min(begin + window, size)};
}

}  // namespace

Explanation occlusion(const Request& r) {
  const std::int64_t depth = r.x.dim(1), height = r.x.dim(2), width = r.x.dim(3);
  const std::int64_t window = r.options.window > 0 ? r.options.window : std::max<std::int64_t>(1, std::min(height, width) / 7);
  // Window and stride of one parity have a common centre.
  std::int64_t stride = r.options.stride > 0 ? r.options.stride : std::max<std::int64_t>(1, window / 2);
  if (r.options.stride == 0 && (window - stride) % 2 != 0) stride = stride > 1 ? stride - 1 : window;
  check(stride <= window, "occlusion: expected a stride of at most the window ", window, ", got ", stride);
  check((window - stride) % 2 == 0, "occlusion: expected window and stride to be both even or both odd, got ", window, " and ",
        stride);
  Map map{"occlusion", pixel_grid((height + stride - 1) / stride, (width + stride - 1) / stride), {}};
  map.grid.stride_y = map.grid.stride_x = static_cast<double>(stride);
  map.grid.start_y = map.grid.start_x = static_cast<double>(stride - 1) / 2;
  const double whole = scores_of(r.network, r.confidence, r.x).front();
  const auto hide = [&](std::int64_t i, float* picture) {
    const Span rows = span_of(i / map.grid.width, window, stride, height),
               columns = span_of(i % map.grid.width, window, stride, width);
    for (std::int64_t y = rows.begin; y < rows.end; ++y)
      std::fill(picture + (y * width + columns.begin) * depth, picture + (y * width + columns.end) * depth, 0.0f);
  };
  for (const double s : scores_of_changed(r.network, r.confidence, r.x, map.grid.cells(), r.options.batch, hide))
    map.values.push_back(whole - s);
  return {{std::move(map)}, {}, {{"score", whole}}};
}

}  // namespace fovea::explain
