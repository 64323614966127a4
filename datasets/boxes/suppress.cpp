#include "datasets/boxes/suppress.hpp"

#include <algorithm>
#include <cmath>

#include "modules/core/error.hpp"
#include "modules/core/simd.hpp"

namespace fovea {
namespace {

// Corners and areas, each in a row of its own, for one pass over all that are left.
struct Columns {
  std::vector<float> x1, y1, x2, y2, area;
  std::vector<std::int32_t> label;
  std::vector<float> overlap;

  explicit Columns(const Detections& all) : overlap(all.size()) {
    for (const Detection& d : all) {
      x1.push_back(static_cast<float>(d.box.x1)), y1.push_back(static_cast<float>(d.box.y1));
      x2.push_back(static_cast<float>(d.box.x2)), y2.push_back(static_cast<float>(d.box.y2));
      area.push_back(static_cast<float>(d.box.area()));
      label.push_back(static_cast<std::int32_t>(d.label));
    }
  }
};

// overlap[j] = IoU of box i with box j behind it; 0 for other classes.
FOVEA_SIMD void overlaps(const float* x1, const float* y1, const float* x2, const float* y2, const float* area,
                         const std::int32_t* label, bool across, std::size_t i, std::size_t n, float* out) {
#pragma omp simd
  for (std::size_t j = i + 1; j < n; ++j) {
    const float left = x1[i] > x1[j] ? x1[i] : x1[j], right = x2[i] < x2[j] ? x2[i] : x2[j];
    const float top = y1[i] > y1[j] ? y1[i] : y1[j], bottom = y2[i] < y2[j] ? y2[i] : y2[j];
    const float width = right > left ? right - left : 0.0f, height = bottom > top ? bottom - top : 0.0f;
    const float both = width * height, either = area[i] + area[j] - both;
    const bool comparable = across || label[i] == label[j];
    out[j] = comparable && either > 0 ? both / either : 0.0f;
  }
}

void overlaps(Columns& c, bool across, std::size_t i) {
  overlaps(c.x1.data(), c.y1.data(), c.x2.data(), c.y2.data(), c.area.data(), c.label.data(), across, i, c.x1.size(),
           c.overlap.data());
}

Detections hard(const Detections& all, const Suppression& o) {
  Columns columns(all);
  std::vector<char> gone(all.size(), 0);
  Detections kept;
  for (std::size_t i = 0; i < all.size() && kept.size() < o.most; ++i) {
    if (gone[i]) continue;
    kept.push_back(all[i]);
    overlaps(columns, o.across_classes, i);
    for (std::size_t j = i + 1; j < all.size(); ++j) gone[j] |= columns.overlap[j] > static_cast<float>(o.iou);
  }
  return kept;
}

// The most probable box takes score from those that it overlaps; then the next one of what is left.
Detections soft(Detections all, const Suppression& o) {
  Detections kept;
  const bool linear = o.kind == Suppression::Kind::soft_linear;
  while (!all.empty() && kept.size() < o.most) {
    const auto best = std::max_element(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.score < b.score; });
    const Detection top = *best;
    all.erase(best);
    kept.push_back(top);
    for (Detection& d : all) {
      const double both = o.across_classes || d.label == top.label ? iou(d.box, top.box) : 0;
      if (linear) d.score *= both > o.iou ? 1 - both : 1;
      else d.score *= std::exp(-both * both / o.sigma);
    }
    std::erase_if(all, [&](const Detection& d) { return d.score < o.least_score; });
  }
  return kept;
}

// Boxes that became one: the weighted mean of their corners, and of their scores.
struct Cluster {
  Detection fused;
  Box sum{0, 0, 0, 0};
  double weight = 0;
  int count = 0;

  void add(const Detection& d) {
    sum.x1 += d.score * d.box.x1, sum.y1 += d.score * d.box.y1, sum.x2 += d.score * d.box.x2, sum.y2 += d.score * d.box.y2;
    weight += d.score, ++count;
    fused.label = d.label;
    if (weight > 0) fused.box = {sum.x1 / weight, sum.y1 / weight, sum.x2 / weight, sum.y2 / weight};
    else fused.box = d.box;
  }
  Detection result(int runs) const {
    Detection d = fused;
    d.score = weight / count * std::min(count, runs) / runs;
    return d;
  }
};

Detections fusion(const Detections& all, const Suppression& o) {
  std::vector<Cluster> clusters;
  for (const Detection& d : all) {
    Cluster* nearest = nullptr;
    double best = o.iou;
    for (Cluster& c : clusters)
      if (const double both = o.across_classes || c.fused.label == d.label ? iou(c.fused.box, d.box) : 0; both > best)
        best = both, nearest = &c;
    (nearest ? *nearest : clusters.emplace_back()).add(d);
  }
  Detections out;
  for (const Cluster& c : clusters) out.push_back(c.result(std::max(o.runs, 1)));
  return out;
}

void sort_by_score(Detections& all) {
  std::stable_sort(all.begin(), all.end(), [](const Detection& a, const Detection& b) { return a.score > b.score; });
}

}  // namespace

Detections suppress(Detections all, const Suppression& o) {
  for (const Detection& d : all)
    check(std::isfinite(d.box.x1) && std::isfinite(d.box.y1) && std::isfinite(d.box.x2) && std::isfinite(d.box.y2) &&
              std::isfinite(d.score),
          "suppression: a box or its score is not finite");
  std::erase_if(all, [&](const Detection& d) { return d.score < o.least_score; });
  sort_by_score(all);
  switch (o.kind) {
    case Suppression::Kind::hard: return hard(all, o);
    case Suppression::Kind::fusion: all = fusion(all, o); break;
    case Suppression::Kind::soft_linear:
    case Suppression::Kind::soft_gaussian: all = soft(std::move(all), o); break;
  }
  std::erase_if(all, [&](const Detection& d) { return d.score < o.least_score; });
  sort_by_score(all);
  if (all.size() > o.most) all.resize(o.most);
  return all;
}

Suppression::Kind suppression_called(const std::string& name) {
  constexpr std::pair<const char*, Suppression::Kind> kKinds[] = {{"hard", Suppression::Kind::hard},
                                                                  {"soft_linear", Suppression::Kind::soft_linear},
                                                                  {"soft_gaussian", Suppression::Kind::soft_gaussian},
                                                                  {"fusion", Suppression::Kind::fusion}};
  for (const auto& [text, kind] : kKinds)
    if (name == text) return kind;
  fail("suppression: expected hard, soft_linear, soft_gaussian or fusion, got '", name, "'");
}

}  // namespace fovea
