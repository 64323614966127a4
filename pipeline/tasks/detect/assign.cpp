#include "pipeline/tasks/detect/assign.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea {
namespace {

// ATSS looks at squares of so many strides where a prediction has no anchor.
constexpr float kSquare = 8;

bool lies_in(const DetectGrid::Place& p, const BoxF& b) { return p.x > b.x1 && p.x < b.x2 && p.y > b.y1 && p.y < b.y2; }

float squared_distance(const DetectGrid::Place& p, const BoxF& b) {
  const float dx = p.x - 0.5f * (b.x1 + b.x2), dy = p.y - 0.5f * (b.y1 + b.y2);
  return dx * dx + dy * dy;
}

BoxF anchor_of(const DetectGrid::Place& p) {
  const float w = 0.5f * (p.width > 0 ? p.width : kSquare * p.stride), h = 0.5f * (p.height > 0 ? p.height : kSquare * p.stride);
  return {p.x - w, p.y - h, p.x + w, p.y + h};
}

// A prediction that may answer for an object.
struct Claim {
  std::int64_t prediction = 0;
  float overlap = 0, measure = 0;
};

// Who claims what; a prediction goes to the object that it overlaps most.
class Claims {
 public:
  explicit Claims(std::int64_t predictions) {
    result_.object.assign(static_cast<std::size_t>(predictions), Assignment::kBackground);
    result_.target.assign(static_cast<std::size_t>(predictions), 0);
    overlap_.assign(static_cast<std::size_t>(predictions), -1);
  }
  void add(std::int32_t object, std::int64_t prediction, float overlap, float target) {
    const auto i = static_cast<std::size_t>(prediction);
    if (overlap <= overlap_[i]) return;
    overlap_[i] = overlap, result_.object[i] = object, result_.target[i] = target;
  }
  void leave_out(std::size_t prediction) { result_.object[prediction] = Assignment::kLeftOut; }
  Assignment& result() { return result_; }

 private:
  Assignment result_;
  std::vector<float> overlap_;
};

// The one nearest to an object's middle: for objects that are smaller than a cell and hold no cell's middle.
std::int64_t nearest_prediction(const DetectGrid& grid, const BoxF& box) {
  const auto& places = grid.places();
  const auto best = std::min_element(places.begin(), places.end(), [&](const auto& a, const auto& b) {
    return squared_distance(a, box) < squared_distance(b, box);
  });
  return best - places.begin();
}

void keep_best(std::vector<Claim>& claims, int top) {
  const auto count = std::min(claims.size(), static_cast<std::size_t>(top));
  std::partial_sort(claims.begin(), claims.begin() + static_cast<std::ptrdiff_t>(count), claims.end(),
                    [](const Claim& a, const Claim& b) {
                      return a.measure != b.measure ? a.measure > b.measure : a.prediction < b.prediction;
                    });
  claims.resize(count);
}

Assignment task_aligned(const DetectGrid& grid, const Objects& objects, const Said& said, const AssignOptions& o) {
  Claims claims(grid.size());
  for (std::size_t g = 0; g < objects.boxes.size(); ++g) {
    const BoxF& box = objects.boxes[g];
    std::vector<Claim> able;
    const auto consider = [&](std::int64_t i) {
      const float overlap = iou(said.boxes[static_cast<std::size_t>(i)], box);
      const float score = 1 / (1 + std::exp(-said.maps.logits(said.picture, i)[objects.labels[g]]));
      able.push_back({i, overlap, std::pow(score, static_cast<float>(o.alpha)) * std::pow(overlap, static_cast<float>(o.beta))});
    };
    for (std::int64_t i = 0; i < grid.size(); ++i)
      if (lies_in(grid.places()[static_cast<std::size_t>(i)], box)) consider(i);
    if (able.empty()) consider(nearest_prediction(grid, box));
    keep_best(able, o.top);
    float best_measure = 0, best_overlap = 0;
    for (const Claim& c : able)
      best_measure = std::max(best_measure, c.measure), best_overlap = std::max(best_overlap, c.overlap);
    for (const Claim& c : able)
      claims.add(static_cast<std::int32_t>(g), c.prediction, c.overlap,
                 best_measure > 0 ? c.measure / best_measure * best_overlap : 0);
  }
  return std::move(claims.result());
}

// Of every level the predictions nearest to the object.
std::vector<Claim> nearest_of_levels(const DetectGrid& grid, const BoxF& box, int top) {
  std::vector<Claim> all;
  for (const DetectGrid::Level& level : grid.levels()) {
    std::vector<Claim> near;
    const std::int64_t end = level.begin + level.positions() * grid.coding().per_position();
    for (std::int64_t i = level.begin; i < end; ++i)
      near.push_back({i, 0, -squared_distance(grid.places()[static_cast<std::size_t>(i)], box)});
    keep_best(near, top);
    all.insert(all.end(), near.begin(), near.end());
  }
  for (Claim& c : all) c.overlap = iou(anchor_of(grid.places()[static_cast<std::size_t>(c.prediction)]), box);
  return all;
}

Assignment atss(const DetectGrid& grid, const Objects& objects, const Said& said, const AssignOptions& o) {
  Claims claims(grid.size());
  for (std::size_t g = 0; g < objects.boxes.size(); ++g) {
    const BoxF& box = objects.boxes[g];
    const std::vector<Claim> near = nearest_of_levels(grid, box, o.top);
    double sum = 0, squares = 0;
    for (const Claim& c : near) sum += c.overlap, squares += static_cast<double>(c.overlap) * c.overlap;
    const double count = static_cast<double>(near.size()), mean = sum / count;
    const double variance = count > 1 ? std::max(0.0, (squares - sum * mean) / (count - 1)) : 0;
    const auto threshold = static_cast<float>(mean + std::sqrt(variance));
    bool any = false;
    const auto claim = [&](std::int64_t i, float overlap) {
      claims.add(static_cast<std::int32_t>(g), i, overlap, iou(said.boxes[static_cast<std::size_t>(i)], box));
      any = true;
    };
    for (const Claim& c : near)
      if (c.overlap >= threshold && lies_in(grid.places()[static_cast<std::size_t>(c.prediction)], box))
        claim(c.prediction, c.overlap);
    if (!any) claim(nearest_prediction(grid, box), 0);
  }
  return std::move(claims.result());
}

Assignment max_iou(const DetectGrid& grid, const Objects& objects, const Said& said, const AssignOptions& o) {
  Claims claims(grid.size());
  std::vector<float> most(static_cast<std::size_t>(grid.size()), 0);  // overlap with any object
  for (std::size_t g = 0; g < objects.boxes.size(); ++g) {
    Claim best{0, -1, 0};
    for (std::int64_t i = 0; i < grid.size(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      const float overlap = iou(anchor_of(grid.places()[at]), objects.boxes[g]);
      most[at] = std::max(most[at], overlap);
      if (overlap > best.overlap) best = {i, overlap, 0};
      if (overlap >= static_cast<float>(o.positive))
        claims.add(static_cast<std::int32_t>(g), i, overlap, iou(said.boxes[at], objects.boxes[g]));
    }
    claims.add(static_cast<std::int32_t>(g), best.prediction, best.overlap,
               iou(said.boxes[static_cast<std::size_t>(best.prediction)], objects.boxes[g]));
  }
  for (std::size_t i = 0; i < most.size(); ++i)
    if (most[i] >= static_cast<float>(o.negative) && claims.result().object[i] == Assignment::kBackground) claims.leave_out(i);
  return std::move(claims.result());
}

}  // namespace

Assignment assign(const DetectGrid& grid, const Objects& objects, const Said& said, const AssignOptions& options) {
  switch (options.kind) {
    case AssignOptions::Kind::task_aligned: return task_aligned(grid, objects, said, options);
    case AssignOptions::Kind::atss: return atss(grid, objects, said, options);
    case AssignOptions::Kind::max_iou: break;
  }
  return max_iou(grid, objects, said, options);
}

bool lies_in_ignored(const DetectGrid::Place& place, const Objects& objects, std::int64_t label) {
  for (std::size_t i = 0; i < objects.ignored.size(); ++i)
    if (objects.ignored_labels[i] == label && lies_in(place, objects.ignored[i])) return true;
  return false;
}

AssignOptions::Kind assignment_called(const std::string& name, const std::string& where) {
  constexpr std::pair<const char*, AssignOptions::Kind> kKinds[] = {{"task_aligned", AssignOptions::Kind::task_aligned},
                                                                    {"atss", AssignOptions::Kind::atss},
                                                                    {"max_iou", AssignOptions::Kind::max_iou}};
  for (const auto& [text, kind] : kKinds)
    if (name == text) return kind;
  fail(where, ": assign: expected task_aligned, atss or max_iou, got '", name, "'");
}

}  // namespace fovea
