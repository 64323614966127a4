#include "pipeline/tracking/crossings.hpp"

#include <cmath>
#include <limits>
#include <tuple>

#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using test::fails_with;

namespace {

using Anchor = CrossingOptions::Anchor;
using Kind = CrossingEvent::Kind;
using Direction = CrossingEvent::Direction;
using Counts = std::vector<std::int64_t>;

const std::vector<std::string> kClasses{"person", "car"};
// A step over it downwards is "in". Boxes are 100 pixels high: the hysteresis is 5 pixels.
const Line kLine{"door", {100, 200}, {300, 200}};
const Zone kZone{"yard", {{100, 100}, {300, 100}, {300, 300}, {100, 300}}};

Track track(std::int64_t id, double x, double y, std::int64_t label = 0) {
  Track t;
  t.id = id;
  t.detection = {{x - 20, y - 100, x + 20, y}, label, 0.9};
  t.predicted = t.detection.box;
  t.index = 0;
  return t;
}

// One track along a way, a point every tenth of a second.
std::vector<CrossingEvent> walk(Crossings& crossings, const std::vector<cv::Point2d>& way) {
  std::vector<CrossingEvent> all;
  double t = 0;
  for (const cv::Point2d p : way) {
    for (const CrossingEvent& e : crossings.update({track(7, p.x, p.y)}, t)) all.push_back(e);
    t += 0.1;
  }
  return all;
}

// Of kLine: {in, out} of persons.
Counts passed(const std::vector<cv::Point2d>& way, const Line& line = kLine) {
  Crossings crossings(kClasses, {line}, {});
  walk(crossings, way);
  return {crossings.line_counts()[0].in[0], crossings.line_counts()[0].out[0]};
}

std::vector<Kind> visited(const std::vector<cv::Point2d>& way) {
  Crossings crossings(kClasses, {}, {kZone});
  std::vector<Kind> out;
  for (const CrossingEvent& e : walk(crossings, way)) out.push_back(e.kind);
  return out;
}

}  // namespace

TEST_CASE("crossings: a line in both directions, by class, with its event", "[tracking]") {
  Crossings crossings(kClasses, {kLine}, {});
  CHECK(crossings.update({track(1, 150, 180), track(2, 250, 230, 1)}, 5).empty());
  const auto events = crossings.update({track(1, 150, 215), track(2, 250, 180, 1)}, 5.5);
  REQUIRE(events.size() == 2);
  CHECK((events[0].kind == Kind::cross && events[0].name == "door" && events[0].track == 1 && events[0].label == "person"));
  CHECK((events[0].seconds == 5.5 && events[0].direction == Direction::in && !events[0].dwell));
  CHECK((events[1].track == 2 && events[1].label == "car" && events[1].direction == Direction::out));
  const auto counts = crossings.line_counts().at(0);
  CHECK((counts.name == "door" && counts.in == Counts{1, 0} && counts.out == Counts{0, 1}));
  // Drawn the other way round, in is out.
  CHECK(passed({{150, 180}, {150, 220}}, {"door", kLine.b, kLine.a}) == Counts{0, 1});
}

TEST_CASE("crossings: what shakes on a line is counted once, what begins or ends on it is not", "[tracking]") {
  CHECK(passed({{150, 180}, {150, 198}, {150, 203}, {150, 197}, {150, 204}, {150, 196}, {150, 220}}) == Counts{1, 0});
  CHECK(passed({{150, 180}, {150, 198}, {150, 203}, {150, 197}, {150, 180}}) == Counts{0, 0});
  CHECK(passed({{150, 180}, {150, 203}, {150, 205}}) == Counts{0, 0});
  CHECK(passed({{150, 180}, {150, 203}, {150, 205.5}}) == Counts{1, 0});
  CHECK(passed({{150, 198}, {150, 220}}) == Counts{0, 0});
  CHECK(passed({{150, 180}, {150, 200}, {150, 200}, {150, 180}}) == Counts{0, 0});
  CHECK(passed({{150, 180}, {150, 220}, {150, 180}, {150, 220}}) == Counts{2, 1});
  // The band is a share of the box: half of it for a hysteresis half as large, never less than a pixel.
  using Case = std::tuple<double, double, int>;
  for (const auto& [hysteresis, y, count] : {Case{0.025, 203, 1}, Case{0.025, 202, 0}, Case{0, 201.5, 1}, Case{0, 200.5, 0}}) {
    Crossings crossings(kClasses, {kLine}, {}, {.hysteresis = hysteresis});
    walk(crossings, {{150, 180}, {150, y}});
    CHECK(crossings.line_counts()[0].in[0] == count);
  }
}

TEST_CASE("crossings: the line has ends, and the way between frames counts", "[tracking]") {
  CHECK(passed({{200, -3000}, {200, 4000}}) == Counts{1, 0});  // a jump
  CHECK(passed({{90, 180}, {90, 220}}) == Counts{0, 0});       // beside it
  CHECK(passed({{100, 180}, {100, 220}}) == Counts{1, 0});     // through its end
  CHECK(passed({{80, 180}, {120, 220}}) == Counts{1, 0});      // through its end, aslant
  CHECK(passed({{79, 180}, {119, 220}}) == Counts{0, 0});
  CHECK(passed({{150, 180}, {150, 220}, {90, 220}, {90, 180}}) == Counts{1, 0});  // in, and back around the end
  CHECK(passed({{150, 180}, {90, 180}, {90, 220}, {150, 220}, {150, 180}}) == Counts{0, 1});
  // Through the line and back around its end, all within the band: it is where it was.
  CHECK(passed({{110, 180}, {110, 202}, {90, 202}, {90, 198}, {110, 180}}) == Counts{0, 0});
  CHECK(passed({{90, 180}, {90, 202}, {110, 202}, {110, 198}, {110, 203}, {110, 220}}) == Counts{0, 0});
}

TEST_CASE("crossings: lost tracks are nowhere until they are seen, ended ones are forgotten", "[tracking]") {
  Crossings crossings(kClasses, {kLine}, {kZone});
  Track lost = track(1, 150, 250);
  lost.index.reset();
  crossings.update({track(1, 150, 50)}, 0);
  CHECK(crossings.update({lost}, 0.1).empty());
  const auto events = crossings.update({track(1, 150, 250)}, 0.2);
  REQUIRE(events.size() == 2);
  CHECK((events[0].kind == Kind::cross && events[1].kind == Kind::enter));
  CHECK(crossings.update({lost}, 0.3).empty());
  const auto vanished = crossings.update({}, 0.4);
  REQUIRE(vanished.size() == 1);
  CHECK((vanished[0].kind == Kind::vanish && vanished[0].seconds == 0.4 && vanished[0].dwell == 0));  // last seen as it came
  CHECK(crossings.update({track(1, 150, 50)}, 0.5).empty());                                          // begins anew
  CHECK(crossings.line_counts()[0].out[0] == 0);
}

TEST_CASE("crossings: the anchor is where people stand, or the centre", "[tracking]") {
  for (const Anchor anchor : {Anchor::bottom, Anchor::centre}) {
    Crossings crossings(kClasses, {kLine}, {}, {.anchor = anchor});
    walk(crossings, {{150, 180}, {150, 220}});
    CHECK(crossings.line_counts()[0].in[0] == (anchor == Anchor::bottom ? 1 : 0));
    walk(crossings, {{150, 230}, {150, 270}});
    CHECK(crossings.line_counts()[0].in[0] == 1);
  }
}

TEST_CASE("crossings: zones are entered and left, begun and ended in", "[tracking]") {
  using Kinds = std::vector<Kind>;
  CHECK(visited({{50, 200}, {150, 200}, {350, 200}}) == Kinds{Kind::enter, Kind::leave});
  CHECK(visited({{200, 200}, {350, 200}}) == Kinds{Kind::appear, Kind::leave});
  CHECK(visited({{50, 200}, {99, 200}, {101, 200}, {97, 200}, {102, 200}, {96, 200}}) == Kinds{Kind::enter});
  CHECK(visited({{50, 200}, {101, 200}, {95, 200}, {94.9, 200}, {99, 200}}) == Kinds{Kind::enter, Kind::leave});
  CHECK(visited({{98, 200}, {97, 200}}).empty());                // near, never in it
  CHECK(visited({{50, 50}, {100, 100}}) == Kinds{Kind::enter});  // its corner belongs to it
  CHECK(visited({{50, 150}, {150, 50}}).empty());                // along its corner
  CHECK(visited({{50, 200}, {350, 200}}).empty());               // over it
}

TEST_CASE("crossings: how long tracks stay, and in which class they came", "[tracking]") {
  Crossings crossings(kClasses, {}, {kZone});
  crossings.update({track(1, 50, 200), track(2, 200, 200, 1)}, 100);
  crossings.update({track(1, 150, 200), track(2, 200, 200, 1)}, 101);
  crossings.update({track(1, 150, 200, 1), track(2, 200, 200, 1)}, 103);
  auto counts = crossings.zone_counts().at(0);
  CHECK((counts.entered == Counts{1, 0} && counts.appeared == Counts{0, 1} && counts.inside == Counts{1, 1}));
  CHECK((counts.visits == 2 && counts.dwell_seconds == 5 && counts.longest_seconds == 3));
  crossings.update({track(1, 150, 200, 1)}, 99);  // time steps back: it stands still, and 2 has ended
  const auto events = crossings.update({track(1, 350, 200, 1)}, 100.5);
  REQUIRE(events.size() == 1);
  CHECK((events[0].kind == Kind::leave && events[0].label == "person" && events[0].dwell == 3.5));
  counts = crossings.zone_counts().at(0);
  CHECK((counts.left == Counts{1, 0} && counts.vanished == Counts{0, 1} && counts.inside == Counts{0, 0}));
  CHECK((counts.visits == 2 && counts.dwell_seconds == 6.5 && counts.longest_seconds == 3.5));
}

TEST_CASE("crossings: as JSON", "[tracking]") {
  Crossings crossings(kClasses, {kLine}, {kZone});
  crossings.update({track(1, 150, 50)}, 0);
  const auto events = crossings.update({track(1, 150, 250)}, 0.25);
  REQUIRE(events.size() == 2);
  CHECK(to_json(events[0]).dump() ==
        R"({"seconds":0.25,"kind":"cross","name":"door","track":1,"class":"person","direction":"in"})");
  CHECK(to_json(events[1]).dump() == R"({"seconds":0.25,"kind":"enter","name":"yard","track":1,"class":"person"})");
  CHECK(to_json(crossings.update({track(1, 150, 400)}, 1.5).at(0)).dump() ==
        R"({"seconds":1.5,"kind":"leave","name":"yard","track":1,"class":"person","dwell":1.25})");
  CHECK(crossings.json().dump() ==
        R"({"lines":[{"name":"door","in":{"total":1,"classes":{"person":1}},"out":{"total":0,"classes":{}}}],)"
        R"("zones":[{"name":"yard","inside":{"total":0,"classes":{}},"entered":{"total":1,"classes":{"person":1}},)"
        R"("appeared":{"total":0,"classes":{}},"left":{"total":1,"classes":{"person":1}},"vanished":{"total":0,"classes":{}},)"
        R"("visits":1,"mean_seconds":1.25,"longest_seconds":1.25}]})");
  CHECK(Crossings(kClasses, {}, {}).json().dump() == R"({"lines":[],"zones":[]})");
}

TEST_CASE("crossings: what makes no sense is refused, and changes nothing", "[tracking]") {
  const auto refused = [](auto lines, auto zones, const std::string& message, double hysteresis = 0.05) {
    return fails_with([&] { Crossings(kClasses, lines, zones, {.hysteresis = hysteresis}); }, message);
  };
  using Lines = std::vector<Line>;
  using Zones = std::vector<Zone>;
  CHECK(refused(Lines{kLine, kLine}, Zones{}, "two lines or zones are called 'door'"));
  CHECK(refused(Lines{kLine}, Zones{{"door", kZone.points}}, "are called 'door'"));
  CHECK(refused(Lines{{"a", {1, 1}, {1, 1}}}, Zones{}, "a pixel apart"));
  CHECK(refused(Lines{}, Zones{{"z", {{1, 1}, {2, 2}}}}, "3 to 1000 points"));
  CHECK(refused(Lines(1001, kLine), Zones{}, "at most 1000 lines and zones, got 1001"));
  CHECK(refused(Lines{}, Zones{}, "hysteresis: expected 0 to 1", std::nan("")));
  CHECK(fails_with([] { Crossings({}, {}, {}); }, "at least one class"));
  CHECK(fails_with([] { Crossings({"\xff"}, {}, {}); }, "not UTF-8"));
  Crossings crossings(kClasses, {kLine}, {});
  crossings.update({track(1, 150, 180)}, 0);
  const auto bad = [&](const Track& t, double seconds, const std::string& message) {
    return fails_with([&] { crossings.update({track(1, 150, 250), t}, seconds); }, message);
  };
  CHECK(bad(track(3, 0, 0, 2), 1, "track 3: expected one of 2 classes, got 2"));
  CHECK(bad(track(3, 0, 0, -1), 1, "got -1"));
  CHECK(bad(track(3, std::nan(""), 0), 1, "track 3: expected a box"));
  CHECK(bad(track(3, 0, 0), std::numeric_limits<double>::infinity(), "time stamp"));
  CHECK(crossings.update({track(1, 150, 250)}, 1).size() == 1);
}

TEST_CASE("crossings: any walks keep the sums, and lines count as a switch with two thresholds does", "[tracking]") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    INFO("seed " << seed);
    Random random(71, seed);
    const Line endless{"endless", {-1e6, 200}, {1e6, 200}}, turned{"turned", endless.b, endless.a};
    Crossings crossings(kClasses, {endless, turned}, {kZone});
    struct Walker {
      double x, y;
      int side = 0;
      bool alive = true;
    };
    std::vector<Walker> walkers(5);
    for (Walker& w : walkers) w.x = 400 * random.uniform(), w.y = 150 + 100 * random.uniform();
    std::int64_t in = 0, out = 0, events = 0;
    for (int frame = 0; frame < 200; ++frame) {
      std::vector<Track> tracks;
      for (std::size_t i = 0; i < walkers.size(); ++i) {
        Walker& w = walkers[i];
        w.alive = w.alive && random.below(300) > 0;
        if (!w.alive) continue;
        w.x += 15 * random.normal(), w.y += 6 * random.normal();
        tracks.push_back(track(static_cast<std::int64_t>(i), w.x, w.y, static_cast<std::int64_t>(i % 2)));
        if (std::abs(w.y - 200) <= 5) continue;
        const int side = w.y > 200 ? 1 : -1;
        in += w.side == -1 && side == 1, out += w.side == 1 && side == -1;
        w.side = side;
      }
      events += static_cast<std::int64_t>(crossings.update(tracks, frame / 30.0).size());
      const auto z = crossings.zone_counts().at(0);
      std::int64_t visits = 0;
      for (std::size_t c = 0; c < kClasses.size(); ++c) {
        REQUIRE(z.inside[c] >= 0);
        REQUIRE(z.inside[c] == z.entered[c] + z.appeared[c] - z.left[c] - z.vanished[c]);
        visits += z.entered[c] + z.appeared[c];
      }
      REQUIRE((visits == z.visits && z.longest_seconds <= z.dwell_seconds + 1e-9));
    }
    const auto lines = crossings.line_counts();
    CHECK(lines[0].in[0] + lines[0].in[1] == in);
    CHECK(lines[0].out[0] + lines[0].out[1] == out);
    CHECK((lines[1].in == lines[0].out && lines[1].out == lines[0].in));
    const auto z = crossings.zone_counts().at(0);
    std::int64_t all = 2 * (in + out);
    for (const auto* counts : {&z.entered, &z.appeared, &z.left, &z.vanished}) all += (*counts)[0] + (*counts)[1];
    CHECK(events == all);
  }
}
