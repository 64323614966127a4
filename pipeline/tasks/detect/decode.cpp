#include "pipeline/tasks/detect/decode.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "modules/core/simd.hpp"

namespace fovea {
namespace {

constexpr std::int64_t kBlock = 64;

// Whether any of the numbers is above the threshold, or none at all: NaN is not below it.
FOVEA_SIMD bool any_above(const float* z, std::int64_t n, float threshold) {
  int found = 0;
#pragma omp simd reduction(| : found)
  for (std::int64_t i = 0; i < n; ++i) found |= z[i] <= threshold ? 0 : 1;
  return found != 0;
}

struct Candidate {
  float logit;
  std::int64_t prediction, label;
};

// Nearly all logits are far below the threshold: blocks of them are passed over at once.
void collect(const float* z, std::int64_t count, std::int64_t first, std::int64_t classes, float threshold,
             std::vector<Candidate>& out) {
  for (std::int64_t begin = 0; begin < count; begin += kBlock) {
    const std::int64_t end = std::min(count, begin + kBlock);
    if (!any_above(z + begin, end - begin, threshold)) continue;
    for (std::int64_t i = begin; i < end; ++i) {
      if (z[i] <= threshold) continue;
      check(std::isfinite(z[i]), "detect: a class logit is not finite");
      out.push_back({z[i], first + i / classes, i % classes});
    }
  }
}

float logit_of(double probability) {
  const double p = std::clamp(probability, 1e-9, 1 - 1e-9);
  return static_cast<float>(std::log(p / (1 - p)));
}

}  // namespace

Detections candidates_of(const NamedTensors& outputs, const DetectGrid& grid, std::int64_t picture, const DecodeOptions& o) {
  const DetectMaps maps(outputs, grid);
  std::vector<Candidate> found;
  for (const DetectGrid::Level& level : grid.levels()) {
    const std::int64_t predictions = level.positions() * grid.coding().per_position();
    collect(maps.logits(picture, level.begin), predictions * grid.classes(), level.begin, grid.classes(), logit_of(o.confidence),
            found);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.logit > b.logit; });
  if (found.size() > o.candidates) found.resize(o.candidates);
  Detections out;
  for (const Candidate& c : found) {
    const BoxF box = grid.decode(grid.places()[static_cast<std::size_t>(c.prediction)], maps.box(picture, c.prediction));
    check(std::isfinite(box.x1) && std::isfinite(box.y1) && std::isfinite(box.x2) && std::isfinite(box.y2),
          "detect: a box is not finite");
    out.push_back({to_box(box), c.label, 1 / (1 + std::exp(-static_cast<double>(c.logit)))});
  }
  return out;
}

Detections on_picture(const Detections& detections, const Geometry& geometry) {
  Detections out;
  for (Detection d : detections) {
    d.box = clipped(to_source(d.box, geometry), geometry.source);
    if (is_valid(d.box)) out.push_back(d);
  }
  return out;
}

Detections decode(const NamedTensors& outputs, const BoxCoding& coding, std::int64_t classes, const Geometry& geometry,
                  const DecodeOptions& options) {
  const DetectGrid grid(coding, classes, geometry.network.height, geometry.network.width);
  return on_picture(suppress(candidates_of(outputs, grid, 0, options), options.suppression), geometry);
}

}  // namespace fovea
