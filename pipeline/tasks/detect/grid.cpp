#include "pipeline/tasks/detect/grid.hpp"

#include <algorithm>
#include <cmath>

#include "modules/core/math.hpp"

namespace fovea {
namespace {

float softplus(float z) { return (z > 0 ? z : 0.0f) + math::log1p_unit(math::exp(-std::abs(z))); }

// Of a size that a network said: e^4 = 55 times an anchor is more than any picture has, and exp of more overflows.
constexpr float kLargestLog = 4;

float mean_bin(const float* z, int bins) {
  const float top = *std::max_element(z, z + bins);
  float sum = 0, weighted = 0;
  for (int b = 0; b < bins; ++b) {
    const float e = math::exp(z[b] - top);
    sum += e, weighted += static_cast<float>(b) * e;
  }
  return weighted / sum;
}

}  // namespace

float iou(const BoxF& a, const BoxF& b) {
  const float width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1), height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  if (width <= 0 || height <= 0) return 0;
  const float both = width * height;
  return both / (a.area() + b.area() - both);
}

DetectGrid::DetectGrid(const BoxCoding& coding, std::int64_t classes, std::int64_t height, std::int64_t width)
    : coding_(coding), classes_(classes) {
  for (const int stride : coding.strides) {
    const Level level{stride, (height + stride - 1) / stride, (width + stride - 1) / stride, size()};
    levels_.push_back(level);
    const auto s = static_cast<float>(stride);
    for (std::int64_t row = 0; row < level.height; ++row)
      for (std::int64_t column = 0; column < level.width; ++column) {
        Place place{(static_cast<float>(column) + 0.5f) * s, (static_cast<float>(row) + 0.5f) * s, s};
        if (coding.anchors.empty()) places_.push_back(place);
        for (const auto& [w, h] : coding.anchors) {
          place.width = static_cast<float>(w) * s, place.height = static_cast<float>(h) * s;
          places_.push_back(place);
        }
      }
  }
}

std::size_t DetectGrid::level_of(std::int64_t prediction) const {
  std::size_t level = levels_.size() - 1;
  while (levels_[level].begin > prediction) --level;
  return level;
}

void DetectGrid::distances(const float* z, float* out) const {
  for (int side = 0; side < 4; ++side)
    out[side] = coding_.bins > 0 ? mean_bin(z + side * coding_.bins, coding_.bins) : softplus(z[side]);
}

BoxF DetectGrid::decode(const Place& p, const float* z) const {
  if (!coding_.anchors.empty()) {
    const float x = p.x + z[0] * p.width, y = p.y + z[1] * p.height;
    const float w = 0.5f * p.width * math::exp(std::min(z[2], kLargestLog));
    const float h = 0.5f * p.height * math::exp(std::min(z[3], kLargestLog));
    return {x - w, y - h, x + w, y + h};
  }
  float d[4];
  distances(z, d);
  return {p.x - d[0] * p.stride, p.y - d[1] * p.stride, p.x + d[2] * p.stride, p.y + d[3] * p.stride};
}

DetectMaps::DetectMaps(const NamedTensors& outputs, const DetectGrid& grid) : grid_(&grid) {
  const std::int64_t each = grid.coding().per_position();
  const auto take = [&](const char* name, std::int64_t channels, std::vector<Tensor>& to) {
    for (const DetectGrid::Level& level : grid.levels()) {
      const Tensor& map = outputs.at(name + ("." + std::to_string(level.stride)));
      check(map.rank() == 4 && map.dim(1) == channels && map.dim(2) == level.height && map.dim(3) == level.width, name, ".",
            level.stride, ": expected N x ", channels, " x ", level.height, " x ", level.width, ", got ", map.shape());
      to.push_back(map.to(DType::f32).contiguous(Layout::channels_last));
    }
  };
  take("class", each * grid.classes(), classes_);
  take("box", each * grid.coding().box_channels(), boxes_);
}

const float* DetectMaps::row(const std::vector<Tensor>& maps, std::int64_t width, std::int64_t n, std::int64_t i) const {
  const std::size_t l = grid_->level_of(i);
  const DetectGrid::Level& level = grid_->levels()[l];
  return maps[l].data<float>() + (n * level.positions() * grid_->coding().per_position() + i - level.begin) * width;
}

}  // namespace fovea
