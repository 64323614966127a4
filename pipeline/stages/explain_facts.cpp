#include "pipeline/stages/explain_facts.hpp"

#include <cmath>

namespace fovea {
namespace {

// Over the finite values: extremes, mean, where the highest is, and how spread the positive part is.
nlohmann::ordered_json values_of(const cv::Mat& heat) {
  double low = 0, high = 0, sum = 0;
  std::int64_t count = 0;
  cv::Point peak;
  std::vector<double> positive;
  for (int y = 0; y < heat.rows; ++y)
    for (int x = 0; x < heat.cols; ++x) {
      const auto v = static_cast<double>(heat.at<float>(y, x));
      if (!std::isfinite(v)) continue;
      if (count == 0 || v > high) high = v, peak = {x, y};
      low = count == 0 ? v : std::min(low, v);
      sum += v;
      ++count;
      positive.push_back(std::max(v, 0.0));
    }
  if (count == 0) return nullptr;
  const double most = std::log(static_cast<double>(count));
  return {{"min", low},
          {"max", high},
          {"mean", sum / static_cast<double>(count)},
          {"peak", {{"x", peak.x}, {"y", peak.y}}},
          {"entropy_of_uniform", most > 0 ? explain::entropy(positive) / most : 1.0}};
}

}  // namespace

nlohmann::ordered_json facts_of(const Geometry& g) {
  const cv::Rect2d seen = g.seen();
  return {{"image", {{"width", g.source.width}, {"height", g.source.height}}},
          {"input", {{"width", g.network.width}, {"height", g.network.height}}},
          {"scale", {{"x", g.scale_x}, {"y", g.scale_y}}},
          {"shift", {{"x", g.shift_x}, {"y", g.shift_y}}},
          {"seen", {{"x0", seen.x + 0.5}, {"y0", seen.y + 0.5}, {"x1", seen.br().x + 0.5}, {"y1", seen.br().y + 0.5}}}};
}

nlohmann::ordered_json facts_of(const PlacedMap& m) {
  const explain::Grid& g = m.map.grid;
  return {{"name", m.name},
          {"layer", m.map.name},
          {"cells", {{"width", g.width}, {"height", g.height}}},
          {"first_cell", {{"x", g.start_x}, {"y", g.start_y}}},
          {"stride", {{"x", g.stride_x}, {"y", g.stride_y}}},
          {"exact", g.exact},
          {"values", values_of(m.heat)}};
}

}  // namespace fovea
