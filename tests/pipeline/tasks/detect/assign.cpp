// Which predictions answer for which objects.
#include "pipeline/tasks/detect/assign.hpp"

#include <cmath>
#include <set>

#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

constexpr std::int64_t kClasses = 2;

// A network of two levels that says the same of every class everywhere, with boxes of `reach` strides around each point.
struct Scene {
  BoxCoding coding{.strides = {8, 16}};
  DetectGrid grid;
  NamedTensors outputs;
  std::vector<BoxF> boxes;

  explicit Scene(float reach = 2, std::vector<std::array<double, 2>> anchors = {})
      : coding{.strides = {8, 16}, .anchors = std::move(anchors)}, grid(coding, kClasses, 64, 64) {
    for (const char* name : {"class.", "box."})
      for (const auto& level : grid.levels()) {
        const std::int64_t each = name[0] == 'c' ? kClasses : 4;
        outputs.add(
            name + std::to_string(level.stride),
            Tensor::zeros({1, each * coding.per_position(), level.height, level.width}, DType::f32, Layout::channels_last));
      }
    for (const auto& p : grid.places())
      boxes.push_back({p.x - reach * p.stride, p.y - reach * p.stride, p.x + reach * p.stride, p.y + reach * p.stride});
  }
  Assignment assigned(const Objects& objects, const AssignOptions& o) const {
    const DetectMaps maps(outputs, grid);
    return assign(grid, objects, {maps, 0, boxes}, o);
  }
};

std::set<std::int64_t> of_object(const Assignment& a, std::int32_t object) {
  std::set<std::int64_t> all;
  for (std::size_t i = 0; i < a.object.size(); ++i)
    if (a.object[i] == object) all.insert(static_cast<std::int64_t>(i));
  return all;
}

bool inside(const DetectGrid::Place& p, const BoxF& b) { return p.x > b.x1 && p.x < b.x2 && p.y > b.y1 && p.y < b.y2; }

}  // namespace

TEST_CASE("assign: task-aligned takes the best predictions in the object, the best with its IoU as target") {
  const Scene scene;
  const Objects objects{.boxes = {{8, 8, 40, 40}}, .labels = {1}};
  const Assignment a = scene.assigned(objects, {.top = 5});
  const auto mine = of_object(a, 0);
  CHECK(mine.size() == 5);
  float most = 0, best_overlap = 0;
  for (const std::int64_t i : mine) {
    const auto at = static_cast<std::size_t>(i);
    CHECK(inside(scene.grid.places()[at], objects.boxes[0]));
    most = std::max(most, a.target[at]), best_overlap = std::max(best_overlap, iou(scene.boxes[at], objects.boxes[0]));
  }
  CHECK(most == Approx(best_overlap));
  // No other prediction in the object overlaps it more.
  for (std::int64_t i = 0; i < scene.grid.size(); ++i)
    if (!mine.contains(i) && inside(scene.grid.places()[static_cast<std::size_t>(i)], objects.boxes[0]))
      for (const std::int64_t j : mine)
        CHECK(iou(scene.boxes[static_cast<std::size_t>(i)], objects.boxes[0]) <=
              iou(scene.boxes[static_cast<std::size_t>(j)], objects.boxes[0]));
}

TEST_CASE("assign: task-aligned listens to the class") {
  Scene scene;
  const Objects objects{.boxes = {{8, 8, 40, 40}}, .labels = {1}};
  const auto before = of_object(scene.assigned(objects, {.top = 1}), 0);
  // Another prediction with nearly the same box becomes sure of the class.
  for (std::int64_t i = 0; i < scene.grid.levels()[0].positions(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (before.contains(i) || !inside(scene.grid.places()[at], {16, 16, 32, 32})) continue;
    scene.outputs.at("class.8").data<float>()[i * kClasses + 1] = 12;
    CHECK(of_object(scene.assigned(objects, {.top = 1, .alpha = 6, .beta = 1}), 0) == std::set<std::int64_t>{i});
    return;
  }
  FAIL("there is no other prediction");
}

TEST_CASE("assign: every object is answered for, however small, and no prediction twice") {
  Random random(3);
  for (int trial = 0; trial < 60; ++trial) {
    const bool anchored = trial % 3 == 2;
    const Scene scene(1 + static_cast<float>(random.uniform()) * 3,
                      anchored ? std::vector<std::array<double, 2>>{{4, 4}, {2, 6}} : std::vector<std::array<double, 2>>{});
    const AssignOptions::Kind kinds[] = {AssignOptions::Kind::task_aligned, AssignOptions::Kind::atss,
                                         AssignOptions::Kind::max_iou};
    Objects objects;
    for (int i = 0; i < 3; ++i) {  // far enough from each other that none can take all of another's
      const auto x = static_cast<float>(i * 21 + 2 * random.uniform()), y = static_cast<float>(44 * random.uniform());
      const auto side = static_cast<float>(0.5 + 17 * random.uniform());
      objects.boxes.push_back({x, y, x + side, y + side});
      objects.labels.push_back(random.below(kClasses));
    }
    const Assignment a = scene.assigned(objects, {.kind = kinds[trial % 3], .top = 4});
    for (std::int32_t g = 0; g < 3; ++g) CHECK(!of_object(a, g).empty());
    for (std::size_t i = 0; i < a.object.size(); ++i)
      if (a.object[i] >= 0) CHECK((a.target[i] >= 0 && a.target[i] <= 1));
  }
}

TEST_CASE("assign: max_iou leaves out what is neither near nor far") {
  const Scene scene(2, {{4, 4}});
  const Objects objects{.boxes = {{4, 4, 36, 36}}, .labels = {0}};  // 32 pixels, as the anchors of the finer level
  const Assignment a = scene.assigned(objects, {.kind = AssignOptions::Kind::max_iou});
  for (std::size_t i = 0; i < a.object.size(); ++i) {
    const auto& p = scene.grid.places()[i];
    const float overlap = iou({p.x - p.width / 2, p.y - p.height / 2, p.x + p.width / 2, p.y + p.height / 2}, objects.boxes[0]);
    if (overlap >= 0.5f) CHECK(a.object[i] == 0);
    else if (overlap >= 0.4f) CHECK(a.object[i] == Assignment::kLeftOut);
    else CHECK(a.object[i] == Assignment::kBackground);
  }
}

TEST_CASE("assign: a picture without objects is all background; ignored regions are of their class") {
  const Scene scene;
  const Objects none{.ignored = {{0, 0, 20, 20}}, .ignored_labels = {1}};
  for (const std::int32_t o : scene.assigned(none, {}).object) CHECK(o == Assignment::kBackground);
  CHECK(lies_in_ignored({.x = 4, .y = 4}, none, 1));
  CHECK_FALSE(lies_in_ignored({.x = 4, .y = 4}, none, 0));
  CHECK_FALSE(lies_in_ignored({.x = 24, .y = 4}, none, 1));
  CHECK(
      fails_with([] { assignment_called("hungarian", "r.yaml:3"); }, "r.yaml:3: assign: expected task_aligned, atss or max_iou"));
}
