// What a tracker promises one by one: names, time, classes, limits.
#include <cmath>
#include <limits>
#include <set>

#include "modules/core/random.hpp"
#include "pipeline/tracking/tracker.hpp"
#include "tests/pipeline/tracking/scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

Detections one(double x, double score = 0.9, std::int64_t label = 0) { return {{person(x, 100), label, score}}; }

std::vector<std::int64_t> ids(const std::vector<Track>& tracks) {
  std::vector<std::int64_t> out;
  for (const Track& t : tracks) out.push_back(t.id);
  return out;
}
using Ids = std::vector<std::int64_t>;

bool same(const std::vector<Track>& a, const std::vector<Track>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Track& p, const Track& q) {
    return p.id == q.id && p.detection == q.detection && p.predicted == q.predicted && p.hits == q.hits && p.age == q.age &&
           p.index == q.index;
  });
}

}  // namespace

TEST_CASE("tracker: confirmed by the second frame, lost, found, ended; a name is never used twice", "[tracking]") {
  Tracker tracker;
  CHECK(tracker.update(one(100), 10).empty());
  const auto two = tracker.update(one(102), 10.1);
  REQUIRE(ids(two) == Ids{1});
  CHECK((two[0].index == 0 && two[0].hits == 2 && two[0].detection == one(102)[0]));
  CHECK(two[0].age == Approx(0.1));
  const auto lost = tracker.update({}, 10.2);
  REQUIRE(ids(lost) == Ids{1});
  CHECK((!lost[0].index && lost[0].hits == 2 && lost[0].detection == one(102)[0]));
  CHECK(ids(tracker.update(one(104), 11.05)) == Ids{1});  // 0.95 s later
  CHECK(ids(tracker.update({}, 12)) == Ids{1});
  CHECK(tracker.update({}, 12.1).empty());  // 1.05 s
  tracker.update(one(104), 12.2);
  CHECK(ids(tracker.update(one(104), 12.3)) == Ids{2});
  CHECK(ids(Tracker({.confirm_hits = 1}).update(one(100), 0)) == Ids{1});
  // Not confirmed: seen in every frame, or forgotten.
  Tracker three({.confirm_hits = 3});
  three.update(one(100), 0), three.update(one(100), 0.1), three.update({}, 0.2);
  CHECK(three.update(one(100), 0.3).empty());
}

TEST_CASE("tracker: time stands still, steps back and pauses", "[tracking]") {
  const auto begun = [] {
    Tracker tracker;
    for (int i = 0; i < 10; ++i) tracker.update(one(100 + 3 * i), i / 30.0);
    return tracker;
  };
  Tracker still = begun();
  const auto before = still.update(one(127), 9 / 30.0), after = still.update(one(127), 9 / 30.0);
  CHECK((ids(before) == Ids{1} && ids(after) == Ids{1}));
  CHECK(before[0].age == after[0].age);
  Tracker back = begun();
  CHECK(ids(back.update(one(127), -5)) == Ids{1});
  CHECK(ids(back.update(one(130), -5 + 1 / 30.0)) == Ids{1});  // goes on from there
  for (const double jump : {-1000.0, 1000.0}) {
    Tracker scene = begun();
    CHECK(scene.update(one(127), jump).empty());
    CHECK(ids(scene.update(one(127), jump + 0.1)) == Ids{2});
  }
  // One frame in two seconds, which is more than keep_seconds: what was seen in the frame before is looked for all the same.
  Tracker slow;
  for (int i = 0; i < 5; ++i) slow.update(one(100), 2 * i);
  CHECK(ids(slow.update(one(100), 10)) == Ids{1});
  // Lost tracks do not live on where time stands: keep_seconds counts as soon as it goes on.
  Tracker frozen = begun();
  for (int i = 0; i < 100; ++i) CHECK(ids(frozen.update({}, 0.3)) == Ids{1});
  CHECK(frozen.update({}, 1.5).empty());
}

TEST_CASE("tracker: per class, or across classes", "[tracking]") {
  Tracker apart, across({.across_classes = true});
  for (Tracker* tracker : {&apart, &across}) tracker->update(one(100), 0), tracker->update(one(100), 0.1);
  const auto other = across.update(one(100, 0.9, 5), 0.2);
  REQUIRE(ids(other) == Ids{1});
  CHECK(other[0].detection.label == 5);
  CHECK(!apart.update(one(100, 0.9, 5), 0.2).at(0).index);
  const auto both = apart.update({one(100, 0.9, 5)[0], one(100)[0]}, 0.3);
  REQUIRE(ids(both) == Ids{1, 2});
  CHECK((both[0].index == 1 && both[1].index == 0));
}

TEST_CASE("tracker: scores decide what begins, goes on and is left out", "[tracking]") {
  Tracker tracker;
  for (int i = 0; i < 3; ++i) CHECK(tracker.update(one(100, 0.55), i / 30.0).empty());  // below new_score
  tracker.update(one(100), 0.2), tracker.update(one(100), 0.23);
  CHECK(tracker.update(one(100, 0.1), 0.26).at(0).index == 0);
  CHECK(!tracker.update(one(100, 0.09), 0.3).at(0).index);
  CHECK(!tracker.update(one(100, 0.3), 0.33).at(0).index);  // a weak box does not bring back what is lost
  CHECK(tracker.update(one(100, 0.55), 0.36).at(0).index == 0);
}

TEST_CASE("tracker: thresholds of overlap, with and without the score", "[tracking]") {
  // Boxes 40 pixels wide, d apart, have an IoU of (40 - d) / (40 + d). No time goes by: the track stays where it was.
  const auto taken = [](int hits, double d, double score) {
    Tracker tracker({.confirm_hits = hits});
    for (int i = 0; i < hits; ++i) tracker.update(one(100), 0);
    return tracker.update(one(100 + d, score), 0).at(0).index.has_value();
  };
  CHECK((taken(1, 24, 0.9) && !taken(1, 24, 0.7)));  // 0.25 x score > 0.2
  CHECK((taken(1, 13, 0.3) && !taken(1, 14, 0.3)));  // 0.51 and 0.48 > 0.5
  Tracker sure, unsure;                              // 0.33 x score > 0.3
  sure.update(one(100), 0), unsure.update(one(100), 0);
  CHECK((sure.update(one(120, 0.95), 0).size() == 1 && unsure.update(one(120, 0.85), 0).empty()));
}

TEST_CASE("tracker: the prediction goes as far as time does, and a lost object keeps its size", "[tracking]") {
  const auto runner = [](double t) { return Detections{{person(100 + 300 * t, 300), 0, 0.9}}; };
  Tracker tracker;
  for (int i = 0; i < 30; ++i) tracker.update(runner(i / 30.0), i / 30.0);
  const auto later = tracker.update(runner(1.5), 1.5);  // 160 pixels farther, four widths
  REQUIRE(ids(later) == Ids{1});
  CHECK(later[0].index == 0);
  Tracker shrinking;
  for (int i = 0; i < 20; ++i) shrinking.update({{{0, 0, 200 - 4.0 * i, 200 - 4.0 * i}, 0, 0.9}}, i / 30.0);
  const double height = shrinking.update({}, 20 / 30.0).at(0).predicted.height();
  CHECK(height < 124);
  CHECK(shrinking.update({}, 1).at(0).predicted.height() == Approx(height));
}

TEST_CASE("tracker: a track that began after another was lost, and lies where that should be, is that one", "[tracking]") {
  // It walks, is lost, and stands where the filter expects it only later.
  const auto run = [](double same_iou) {
    Tracker tracker({.same_iou = same_iou});
    for (int i = 0; i < 20; ++i) tracker.update(one(100 + 3 * i), i / 30.0);
    for (int i = 20; i < 24; ++i) CHECK(tracker.update(one(200), i / 30.0).front().index.has_value() == false);
    for (int i = 24; i < 39; ++i) tracker.update(one(200), i / 30.0);
    return tracker.update(one(200), 39 / 30.0);
  };
  const auto merged = run(0.85);
  REQUIRE(ids(merged) == Ids{1});
  CHECK((merged[0].index == 0 && merged[0].hits == 40));
  CHECK(merged[0].age == Approx(1.3));
  CHECK(ids(run(1)) == Ids{1, 2});
  // Two that were seen together are two, even where one hides the other exactly.
  Tracker tracker;
  for (int i = 0; i < 30; ++i) tracker.update({one(100 + 4 * i)[0], one(340 - 4 * i)[0]}, i / 30.0);
  for (int i = 30; i < 36; ++i) CHECK(tracker.update(one(100 + 4 * i), i / 30.0).size() == 2);
}

TEST_CASE("tracker: input that makes no sense is refused, and changes nothing", "[tracking]") {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  Tracker tracker;
  tracker.update(one(100), 0);
  const auto refused = [&](Detections detections, double seconds, const std::string& message) {
    detections.push_back(one(100)[0]);
    return fails_with([&] { tracker.update(detections, seconds); }, message);
  };
  CHECK(refused({{{nan, 0, 1, 1}, 0, 0.9}}, 0.1, "tracker: detection 0: expected a box"));
  CHECK(refused({{{0, 0, infinity, 1}, 0, 0.9}}, 0.1, "expected a box"));
  CHECK(refused({{{0, 0, 0, 1}, 0, 0.9}}, 0.1, "expected a box"));
  CHECK(refused({{{5, 0, 1, 1}, 0, 0}}, 0.1, "expected a box"));
  CHECK(refused({{{0, 0, 2e7, 1}, 0, 0.9}}, 0.1, "within 1e+07 pixels"));
  CHECK(refused({{{0, 0, 1, 1}, 0, 1.5}}, 0.1, "a score of 0 to 1, got 1.5"));
  CHECK(refused({{{0, 0, 1, 1}, 0, nan}}, 0.1, "a score of 0 to 1"));
  CHECK(refused({}, nan, "time stamp"));
  CHECK(refused({}, 1e300, "time stamp"));
  CHECK(refused(Detections(1000, one(100)[0]), 0.1, "at most 1000 detections in a frame, got 1001"));
  CHECK(ids(tracker.update(one(100), 0.1)) == Ids{1});
  CHECK(fails_with([&] { Tracker({.high_score = nan}); }, "high_score: expected 0 to 1"));
  CHECK(fails_with([] { Tracker({.match_iou = -1}); }, "match_iou: expected 0 to 1, got -1"));
  CHECK(fails_with([] { Tracker({.high_score = 0.3, .low_score = 0.4}); }, "low_score up to high_score"));
  CHECK(fails_with([&] { Tracker({.keep_seconds = infinity}); }, "keep_seconds"));
  CHECK(fails_with([] { Tracker({.confirm_hits = 0}); }, "confirm_hits"));
}

TEST_CASE("tracker: no more tracks than it can hold, where time stands, too", "[tracking]") {
  Tracker tracker;
  std::size_t held = 0;
  for (int grid = 0; grid < 4; ++grid) {
    Detections seen;
    for (int i = 0; i < 1000; ++i) seen.push_back({person(100 * i, 200 * grid), 0, 0.9});
    tracker.update(seen, 0);
    held = tracker.update(seen, 0).size();
  }
  CHECK(held == 2000);
}

TEST_CASE("tracker: any frames keep its promises, and twice the same gives the same", "[tracking]") {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    INFO("seed " << seed);
    Random random(51, seed);
    const TrackerOptions options{.confirm_hits = static_cast<int>(1 + random.below(3)), .across_classes = random.below(2) == 0};
    Tracker tracker(options), again(options);
    std::set<std::int64_t> ended, alive;
    double t = 0;
    for (int frame = 0; frame < 60; ++frame) {
      t += random.below(20) == 0 ? 30 * random.normal() : 0.2 * random.uniform() - 0.02;
      Detections seen;
      for (std::int64_t k = 0, n = random.below(25); k < n; ++k) {
        const double x = 300 * random.uniform(), y = 300 * random.uniform();
        const double w = 1 + 80 * random.uniform(), h = 1 + 80 * random.uniform();
        seen.push_back({{x, y, x + w, y + h}, random.below(2), random.uniform()});
      }
      const auto tracks = tracker.update(seen, t);
      REQUIRE(same(tracks, again.update(seen, t)));
      std::set<std::int64_t> now;
      std::set<std::size_t> used;
      for (const Track& track : tracks) {
        REQUIRE((now.empty() || *now.rbegin() < track.id));
        now.insert(track.id);
        REQUIRE(!ended.count(track.id));
        REQUIRE((is_valid(track.predicted) && track.age >= 0 && track.hits >= options.confirm_hits));
        if (!track.index) continue;
        REQUIRE(used.insert(*track.index).second);
        REQUIRE(seen.at(*track.index) == track.detection);
      }
      for (const std::int64_t id : alive)
        if (!now.count(id)) ended.insert(id);
      alive = now;
    }
  }
}
