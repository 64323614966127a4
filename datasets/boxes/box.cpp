#include "datasets/boxes/box.hpp"

#include <algorithm>
#include <cmath>

namespace fovea {

bool is_valid(const Box& b) {
  return std::isfinite(b.x1) && std::isfinite(b.y1) && std::isfinite(b.x2) && std::isfinite(b.y2) && b.x2 > b.x1 && b.y2 > b.y1;
}

Box clipped(const Box& b, cv::Size picture) {
  const auto x = [&](double v) { return std::clamp(v, 0.0, static_cast<double>(picture.width)); };
  const auto y = [&](double v) { return std::clamp(v, 0.0, static_cast<double>(picture.height)); };
  return {x(b.x1), y(b.y1), x(b.x2), y(b.y2)};
}

double intersection(const Box& a, const Box& b) {
  const double width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1), height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  return width > 0 && height > 0 ? width * height : 0;
}

double iou(const Box& a, const Box& b) {
  const double both = intersection(a, b), either = a.area() + b.area() - both;
  return either > 0 ? both / either : 0;
}

double written_area(const Box& b, cv::Size2d written) {
  return b.x1 + written.width == b.x2 && b.y1 + written.height == b.y2 ? written.area() : b.area();
}

cv::Rect to_pixels(const Box& b) {
  const auto low = [](double v) { return static_cast<int>(std::floor(std::clamp(v, -1e9, 1e9))); };
  const auto high = [](double v) { return static_cast<int>(std::ceil(std::clamp(v, -1e9, 1e9))); };
  return {cv::Point(low(b.x1), low(b.y1)), cv::Point(high(b.x2), high(b.y2))};
}

}  // namespace fovea
