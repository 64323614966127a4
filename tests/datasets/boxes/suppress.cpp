#include "datasets/boxes/suppress.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

Detections random_boxes(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  Detections all;
  for (std::size_t i = 0; i < count; ++i) {
    const double x = 60 * random.uniform(), y = 60 * random.uniform();
    // Few scores, so that there are ties.
    all.push_back({{x, y, x + 4 + 30 * random.uniform(), y + 4 + 30 * random.uniform()},
                   random.below(3),
                   0.05 + 0.05 * static_cast<double>(random.below(19))});
  }
  return all;
}

// By definition: one after the other, each against all that were kept.
Detections by_definition(Detections all, const Suppression& o) {
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  Detections kept;
  for (const Detection& d : all) {
    const bool gone = std::any_of(kept.begin(), kept.end(), [&](const Detection& k) {
      return (o.across_classes || k.label == d.label) && iou(k.box, d.box) > o.iou;
    });
    if (!gone && kept.size() < o.most) kept.push_back(d);
  }
  return kept;
}

}  // namespace

TEST_CASE("suppress: hard is its definition") {
  for (std::uint64_t seed = 0; seed < 40; ++seed)
    for (const double overlap : {0.2, 0.5, 0.8})
      for (const bool across : {false, true}) {
        const Suppression o{.iou = overlap, .across_classes = across, .most = seed % 3 == 0 ? std::size_t{7} : std::size_t{300}};
        const Detections all = random_boxes(120, seed);
        CHECK(suppress(all, o) == by_definition(all, o));
      }
  CHECK(suppress({}, {}).empty());
}

TEST_CASE("suppress: soft takes score instead") {
  const Box a{0, 0, 10, 10}, b{0, 0, 10, 5}, far{50, 50, 60, 60};  // IoU of a and b: 0.5
  const Detections all{{a, 0, 0.9}, {b, 0, 0.8}, {b, 1, 0.7}, {far, 0, 0.6}};
  const Detections linear = suppress(all, {.kind = Suppression::Kind::soft_linear, .iou = 0.3});
  REQUIRE(linear.size() == 4);
  CHECK(linear[1].label == 1);  // another class: untouched
  CHECK(linear[2].score == Approx(0.6));
  CHECK(linear[3].score == Approx(0.8 * 0.5));
  const Detections gaussian = suppress(all, {.kind = Suppression::Kind::soft_gaussian, .sigma = 0.5});
  CHECK(gaussian[3].score == Approx(0.8 * std::exp(-0.5)));
  CHECK(suppress(all, {.kind = Suppression::Kind::soft_linear, .iou = 0.3, .least_score = 0.5}).size() == 3);
}

TEST_CASE("suppress: fusion averages by score") {
  const Detections all{{{0, 0, 10, 10}, 0, 0.6}, {{0, 0, 10, 12}, 0, 0.2}, {{40, 40, 50, 50}, 0, 0.5}};
  const Detections fused = suppress(all, {.kind = Suppression::Kind::fusion, .iou = 0.5, .runs = 2});
  REQUIRE(fused.size() == 2);
  CHECK(fused[0].box.y2 == Approx((0.6 * 10 + 0.2 * 12) / 0.8));
  CHECK(fused[0].score == Approx(0.4));   // mean of both runs
  CHECK(fused[1].score == Approx(0.25));  // one of two runs saw it
  CHECK(suppress(all, {.kind = Suppression::Kind::fusion, .iou = 0.5, .runs = 1})[1].score == Approx(0.4));
}

TEST_CASE("suppress: refuses what is no number") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), endless = std::numeric_limits<double>::infinity();
  for (const Detection& d :
       {Detection{{0, 0, nan, 1}, 0, 0.5}, Detection{{0, 0, endless, 1}, 0, 0.5}, Detection{{0, 0, 1, 1}, 0, nan}})
    CHECK(fails_with([&] { suppress({d}, {}); }, "not finite"));
  CHECK(fails_with([] { suppression_called("softer"); }, "expected hard, soft_linear, soft_gaussian or fusion, got 'softer'"));
}
