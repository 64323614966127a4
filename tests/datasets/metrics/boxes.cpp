#include "datasets/metrics/boxes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>

#include "datasets/boxes/coco.hpp"
#include "modules/core/random.hpp"
#include "modules/io/json.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;
using test::fails_with;

namespace {

// As a COCO file has it.
struct Sides {
  double x, y, w, h;
  Box box() const { return {x, y, x + w, y + h}; }
  cv::Size2d written() const { return {w, h}; }
};
struct Truth {
  Sides sides;
  std::int64_t label;
  bool crowd;
  double area;
};
struct Found {
  Sides sides;
  std::int64_t label;
  double score;
};
struct Picture {
  std::int64_t id;
  std::vector<Truth> truth;
  std::vector<Found> found;
};

void add(BoxMetrics& metrics, const Picture& p) {
  std::vector<Annotation> truth;
  Detections found;
  for (const Truth& t : p.truth) truth.push_back({t.sides.box(), t.label, t.crowd, t.area, t.sides.written()});
  for (const Found& f : p.found) found.push_back({f.sides.box(), f.label, f.score, f.sides.written()});
  metrics.add(p.id, truth, found);
}

BoxMetrics metrics_of(const std::vector<Picture>& pictures, std::size_t classes) {
  BoxMetrics metrics(std::vector<std::string>(classes, "thing"));
  for (const Picture& p : pictures) add(metrics, p);
  return metrics;
}

// COCO's rules once more, one threshold, range of areas and number of detections at a time, and with no thought of speed.
struct Reference {
  double iou, low, high;
  std::size_t most;
  std::int64_t label;

  struct Verdict {
    double score;
    bool right;
  };
  std::vector<Verdict> verdicts = {};  // of what is not ignored
  double objects = 0;

  static double overlap(const Sides& d, const Truth& t) {
    const double w = std::min(d.x + d.w, t.sides.x + t.sides.w) - std::max(d.x, t.sides.x);
    const double h = std::min(d.y + d.h, t.sides.y + t.sides.h) - std::max(d.y, t.sides.y);
    if (w <= 0 || h <= 0) return 0;
    return w * h / (t.crowd ? d.w * d.h : d.w * d.h + t.sides.w * t.sides.h - w * h);
  }
  bool outside(double area) const { return area < low || area > high; }

  void add(const Picture& p) {
    std::vector<const Truth*> counted, ignored;
    for (const Truth& t : p.truth)
      if (t.label == label) (t.crowd || outside(t.area) ? ignored : counted).push_back(&t);
    std::vector<Found> found;
    for (const Found& f : p.found)
      if (f.label == label) found.push_back(f);
    std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.score > b.score; });
    std::map<const Truth*, bool> taken;
    for (std::size_t i = 0; i < std::min<std::size_t>(found.size(), 100); ++i) {
      const Truth* best = nullptr;
      bool right = false;
      for (const auto* group : {&counted, &ignored}) {
        if (best) break;
        double most_overlap = std::min(iou, 1 - 1e-10);
        for (const Truth* t : *group) {
          const double o = overlap(found[i].sides, *t);
          if ((taken[t] && !t->crowd) || o < most_overlap) continue;
          most_overlap = o, best = t, right = group == &counted;
        }
      }
      if (best) taken[best] = true;
      const bool is_ignored = best ? !right : outside(found[i].sides.w * found[i].sides.h);
      if (i < most && !is_ignored) verdicts.push_back({found[i].score, right});
    }
    objects += static_cast<double>(counted.size());
  }

  void rank() {
    std::stable_sort(verdicts.begin(), verdicts.end(), [](const Verdict& a, const Verdict& b) { return a.score > b.score; });
  }
  double recall() const {
    const auto right = std::count_if(verdicts.begin(), verdicts.end(), [](const Verdict& v) { return v.right; });
    return objects == 0 ? -1 : static_cast<double>(right) / objects;
  }
  PrecisionCurve curve() {
    rank();
    PrecisionCurve out{};
    double right = 0, all = 0;
    for (const Verdict& v : verdicts) {
      right += v.right, ++all;
      const double precision = right / (all + std::numeric_limits<double>::epsilon());
      // np.linspace(0, 1, 101), and every recall that this cut reaches
      for (std::size_t i = 0; i < kRecalls; ++i)
        if (right / objects >= static_cast<double>(i) * 0.01) out[i] = std::max(out[i], precision);
    }
    return out;
  }
};

constexpr double kRanges[4][2] = {{0, 1e10}, {0, 1024}, {1024, 9216}, {9216, 1e10}};

Reference reference(const std::vector<Picture>& pictures, std::int64_t label, double iou, std::size_t area, std::size_t most) {
  Reference r{iou, kRanges[area][0], kRanges[area][1], most, label};
  std::vector<Picture> in_order = pictures;
  std::sort(in_order.begin(), in_order.end(), [](const Picture& a, const Picture& b) { return a.id < b.id; });
  for (const Picture& p : in_order) r.add(p);
  return r;
}

double mean(const PrecisionCurve& c) { return std::accumulate(c.begin(), c.end(), 0.0) / kRecalls; }

// Over the classes that have objects; AP with `curves`, else recall.
double reference_mean(const std::vector<Picture>& pictures, std::int64_t classes, const std::vector<double>& thresholds,
                      std::size_t area, std::size_t most, bool curves) {
  double sum = 0, count = 0;
  for (std::int64_t c = 0; c < classes; ++c)
    for (const double t : thresholds) {
      Reference r = reference(pictures, c, t, area, most);
      if (r.objects == 0) continue;
      sum += curves ? mean(r.curve()) : r.recall(), ++count;
    }
  return count > 0 ? sum / count : -1;
}

void check_against_reference(const std::vector<Picture>& pictures, std::int64_t classes) {
  const BoxScores s = metrics_of(pictures, static_cast<std::size_t>(classes)).scores();
  const auto all = coco_thresholds();
  const auto ap = [&](const std::vector<double>& t, std::size_t area) {
    return reference_mean(pictures, classes, t, area, 100, true);
  };
  const auto ar = [&](std::size_t area, std::size_t most) { return reference_mean(pictures, classes, all, area, most, false); };
  const double want[] = {ap(all, 0), ap({0.5}, 0), ap({all[5]}, 0), ap(all, 1), ap(all, 2), ap(all, 3),
                         ar(0, 1),   ar(0, 10),    ar(0, 100),      ar(1, 100), ar(2, 100), ar(3, 100)};
  const auto got = s.figures();
  REQUIRE(got.size() == 12);
  for (std::size_t i = 0; i < 12; ++i) {
    INFO(got[i].first);
    CHECK(std::abs(got[i].second - want[i]) < 1e-12);
  }
  for (std::int64_t c = 0; c < classes; ++c) {
    const BoxScores::PerClass& k = s.classes[static_cast<std::size_t>(c)];
    CHECK(static_cast<double>(k.objects) == reference(pictures, c, 0.5, 0, 100).objects);
    for (std::size_t t = 0; t < k.curves.size(); ++t) CHECK(k.curves[t] == reference(pictures, c, all[t], 0, 100).curve());
  }
}

// Boxes on a coarse grid, so that overlaps, areas and scores are often equal.
class Cases {
 public:
  explicit Cases(unsigned seed) : random_(seed) {}

  std::vector<Picture> pictures(int count, std::int64_t classes, int most_found) {
    const double steps[] = {1, 0.1, 16, 0.01};
    const double step = steps[below(4)];
    std::vector<Picture> all;
    for (int i = 0; i < count; ++i) {
      Picture p{i * 11 % 13 * 3 - 5, {}, {}};
      for (int k = below(7); k > 0; --k) {
        const Sides s = sides(step);
        p.truth.push_back({s, below(static_cast<int>(classes)), below(5) == 0, area(s)});
      }
      for (int k = below(most_found); k > 0; --k) {
        Sides s = sides(step);
        std::int64_t label = below(static_cast<int>(classes));
        if (!p.truth.empty() && below(3) > 0) {
          const Truth& near = p.truth[static_cast<std::size_t>(below(static_cast<int>(p.truth.size())))];
          s = near.sides, label = near.label;
          (below(2) ? s.x : s.w) += step * (below(5) - 2);
        }
        p.found.push_back({s, label, below(8) / 8.0});
      }
      all.push_back(p);
    }
    return all;
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  // With sides of 0 among them; 32 and 96 steps of 1 are where the ranges of areas meet.
  Sides sides(double step) {
    const auto side = [&] { return step * (below(4) == 0 ? (below(2) ? 32 : 96) : below(12)); };
    return {step * below(9), step * below(9), side(), side()};
  }
  double area(const Sides& s) {
    const double some[] = {1024, 9216, 0, 500, 1e10, 2e10};
    return below(3) == 0 ? some[below(6)] : s.w * s.h;
  }

  std::mt19937 random_;
};

}  // namespace

TEST_CASE("box metrics: the figures of pycocotools on the shared cases") {
  FOVEA_NEEDS_SHARED(cases, "eval/detection");
  for (const char* name : {"bccd_val_noisy", "bccd_val_ties", "crowd_areas", "more_than_100"}) {
    INFO(name);
    const BoxData data = read_coco(cases / name / "ground_truth.json", {}, CocoUse::measuring);
    const auto found = read_coco_results(cases / name / "detections.json", data);
    BoxMetrics metrics(data.classes);
    for (std::size_t i = found.size(); i-- > 0;) metrics.add(data.images[i].id, data.images[i].annotations, found[i]);
    const BoxScores s = metrics.scores();
    const JsonValue expected = read_json(cases / name / "expected.json");
    CHECK(expected.at("stats").members().size() == 12);
    for (const auto& [figure, value] : s.figures()) {
      INFO(figure);
      CHECK(std::abs(value - expected.at("stats").at(figure).number()) < 1e-9);
    }
    for (std::size_t c = 0; c < data.classes.size(); ++c) {
      const std::string id = std::to_string(data.category_ids[c]);
      const JsonValue one = expected.at("per_class").at(id);
      CHECK(std::abs(s.classes[c].ap - one.at("AP").number()) < 1e-9);
      CHECK(std::abs(s.classes[c].ap50 - one.at("AP50").number()) < 1e-9);
      CHECK(std::abs(s.classes[c].ar100 - one.at("AR100").number()) < 1e-9);
      const auto curve = expected.at("precision_at_50_all_100").at(id).items();
      REQUIRE(curve.size() == kRecalls);
      for (std::size_t i = 0; i < kRecalls && !s.classes[c].curves.empty(); ++i)
        CHECK(std::abs(s.classes[c].curves[0][i] - curve[i].number()) < 1e-9);
    }
  }
}

TEST_CASE("box metrics: an independent computation of small cases, with ties, crowds, areas and degenerate boxes") {
  for (unsigned seed = 0; seed < 150; ++seed) {
    INFO("seed " << seed);
    Cases cases(seed);
    check_against_reference(cases.pictures(1 + static_cast<int>(seed % 9), 1 + seed % 4, 12), 1 + seed % 4);
  }
}

TEST_CASE("box metrics: an independent computation of more than 100 detections an image") {
  for (unsigned seed = 0; seed < 6; ++seed) {
    INFO("seed " << seed);
    check_against_reference(Cases(1000 + seed).pictures(3, 2, 700), 2);
  }
}

TEST_CASE("box metrics: by hand") {
  // Two objects; found: one rightly at 0.9, nothing at 0.8, the other at 0.7 with half of it.
  BoxMetrics m({"cat", "dog", "eel"});
  m.add(1, {{{0, 0, 100, 100}, 0}, {{200, 0, 300, 100}, 0}}, {{{0, 0, 100, 100}, 0, 0.9}, {{500, 0, 600, 100}, 0, 0.8}});
  m.add(2, {{{0, 0, 10, 10}, 0}}, {{{0, 0, 10, 5}, 0, 0.7}, {{0, 0, 10, 5}, 2, 0.7}});
  const BoxScores s = m.scores();
  CHECK(m.images() == 2);
  CHECK((s.classes[0].objects == 3 && s.classes[0].detections == 3));
  // Recall 1/3 at precision 1, 2/3 at 2/3: recalls 0 ... 0.33 and 0.34 ... 0.66.
  CHECK(s.classes[0].ap50 == Approx((34 * 1 + 33 * 2.0 / 3) / 101));
  CHECK(s.ap75 == Approx(34.0 / 101));
  CHECK((s.ap_small == Approx(0.1) && s.ap_medium == -1 && s.ar_large == Approx(0.5)));
  CHECK((s.classes[0].best_f1 == Approx(2.0 / 3) && s.classes[0].best_score == 0.7));
  CHECK((s.classes[0].best_precision == Approx(2.0 / 3) && s.classes[0].best_recall == Approx(2.0 / 3)));
  CHECK((s.classes[1].ap == -1 && s.classes[1].best_f1 == -1 && s.classes[1].curves.empty()));
  CHECK((s.classes[2].ap50 == -1 && s.classes[2].detections == 1));
  CHECK(s.ap50 == s.classes[0].ap50);
}

TEST_CASE("box metrics: nothing there, nothing found") {
  BoxMetrics m({"cat"});
  for (const auto& [name, value] : m.scores().figures()) CHECK(value == -1);
  CHECK(m.intervals({})[0].resamples == 0);
  m.add(1, {{{0, 0, 9, 9}, 0}}, {});
  CHECK((m.scores().ap == 0 && m.scores().ar1 == 0 && m.scores().classes[0].best_f1 == 0));
  BoxMetrics none({});
  none.add(1, {}, {});
  CHECK((none.scores().ap == -1 && none.intervals({}).empty()));
}

TEST_CASE("box metrics: thresholds of one's own") {
  BoxMetrics m({"cat"}, {0.3, 1});
  m.add(1, {{{0, 0, 10, 10}, 0}, {{50, 0, 60, 10}, 0}}, {{{0, 0, 10, 4}, 0, 0.9}, {{50, 0, 60, 10}, 0, 0.8}});
  const BoxScores s = m.scores();
  CHECK((s.threshold(0.3) == 0 && s.threshold(1) == 1 && s.threshold(0.5) == 2));
  CHECK((s.ap50 == -1 && s.ap75 == -1 && s.classes[0].best_f1 == -1 && m.intervals({})[0].low == -1));
  CHECK(s.ar100 == Approx(0.75));
  CHECK(s.classes[0].curves.size() == 2);
  CHECK(fails_with([] { BoxMetrics({"a"}, {}); }, "expected 1 to 32 thresholds, got 0"));
  CHECK_THROWS_AS(BoxMetrics({"a"}, std::vector<double>(33, 0.5)), Error);
  CHECK_THROWS_AS(BoxMetrics({"a"}, {0}), Error);
  CHECK_THROWS_AS(BoxMetrics({"a"}, {std::nan("")}), Error);
}

TEST_CASE("box metrics: what is refused, and changes nothing") {
  BoxMetrics m({"cat"});
  m.add(1, {}, {});
  const double inf = INFINITY, nan = std::nan("");
  const Box box{0, 0, 1, 1};
  CHECK(fails_with([&] { m.add(1, {}, {}); }, "image 1 was added before"));
  CHECK(fails_with([&] { m.add(2, {{box, 1}}, {}); }, "expected a label below 1, got 1"));
  CHECK(fails_with([&] { m.add(2, {}, {{box, -1, 0.5}}); }, "expected a label below 1, got -1"));
  CHECK(fails_with([&] { m.add(2, {}, {{box, 0, nan}}); }, "expected a finite score, got nan"));
  CHECK(fails_with([&] { m.add(2, {}, {{{0, nan, 1, 1}, 0, 0.5}}); }, "expected a finite box"));
  CHECK(fails_with([&] { m.add(2, {{{-inf, 0, 1, 1}, 0}}, {}); }, "expected a finite box"));
  CHECK(fails_with([&] { m.add(2, {{{0, 0, 1e200, 1e200}, 0}}, {}); }, "expected a finite box"));
  CHECK(fails_with([&] { m.add(2, {{box, 0, false, nan}}, {}); }, "expected an area"));
  CHECK(fails_with([&] { m.add(2, std::vector<Annotation>(100'001, {box, 0}), {}); }, "at most 100000 objects"));
  CHECK(fails_with([&] { m.intervals({.resamples = 0}); }, "resamples"));
  CHECK(fails_with([&] { m.intervals({.level = 1}); }, "level"));
  CHECK(m.images() == 1);
}

TEST_CASE("box metrics: the score with the best F1, by trying all") {
  for (unsigned seed = 0; seed < 40; ++seed) {
    const auto pictures = Cases(seed).pictures(5, 2, 12);
    const BoxScores s = metrics_of(pictures, 2).scores();
    for (std::int64_t c = 0; c < 2; ++c) {
      const auto& k = s.classes[static_cast<std::size_t>(c)];
      const Reference r = reference(pictures, c, 0.5, 0, 100);
      double best = 0, best_score = 0;
      for (double cut = 1; cut >= 0; cut -= 0.125) {
        double right = 0, all = 0;
        for (const auto& v : r.verdicts)
          if (v.score >= cut) ++all, right += v.right;
        if (const double f1 = 2 * right / (all + r.objects); right > 0 && f1 > best) best = f1, best_score = cut;
      }
      if (r.objects == 0) CHECK(k.best_f1 == -1);
      else CHECK((k.best_f1 == Approx(best) && k.best_score == best_score));
    }
  }
}

TEST_CASE("box metrics: intervals are those of images that were really drawn again") {
  const auto pictures = Cases(3).pictures(12, 2, 12);
  const BoxMetrics m = metrics_of(pictures, 2);
  std::vector<Picture> sorted = pictures;
  std::sort(sorted.begin(), sorted.end(), [](const Picture& a, const Picture& b) { return a.id < b.id; });
  std::vector<double> ap[2];
  for (std::uint64_t n = 0; n < 50; ++n) {
    Random random(9, n);
    std::vector<std::size_t> drawn;
    for (std::size_t i = 0; i < sorted.size(); ++i) drawn.push_back(static_cast<std::size_t>(random.below(12)));
    std::sort(drawn.begin(), drawn.end());
    std::vector<Picture> again;
    for (const std::size_t d : drawn) again.push_back(sorted[d]), again.back().id = static_cast<std::int64_t>(again.size());
    const BoxScores s = metrics_of(again, 2).scores();
    for (std::size_t c = 0; c < 2; ++c)
      if (s.classes[c].ap50 >= 0) ap[c].push_back(s.classes[c].ap50);
  }
  const auto intervals = m.intervals({.resamples = 50, .seed = 9, .level = 0.8});
  for (std::size_t c = 0; c < 2; ++c) {
    std::sort(ap[c].begin(), ap[c].end());
    REQUIRE((ap[c].size() == 50 && intervals[c].resamples == 50));
    // 49 steps from the first to the last: 4.9 and 44.1.
    CHECK(intervals[c].low == Approx(ap[c][4] + 0.9 * (ap[c][5] - ap[c][4])));
    CHECK(intervals[c].high == Approx(ap[c][44] + 0.1 * (ap[c][45] - ap[c][44])));
    CHECK(intervals[c].low < intervals[c].high);
  }
  CHECK(m.intervals({.resamples = 50, .seed = 9, .level = 0.8})[0].low == intervals[0].low);
  CHECK(m.intervals({.resamples = 50, .seed = 8, .level = 0.8})[0].low != intervals[0].low);
  // An object on one of two images: three of four resamples hold it.
  BoxMetrics rare({"cat"});
  rare.add(1, {{{0, 0, 9, 9}, 0}}, {{{0, 0, 9, 9}, 0, 0.5}});
  rare.add(2, {}, {});
  const auto one = rare.intervals({})[0];
  CHECK((one.low == Approx(1) && one.high == Approx(1) && one.resamples > 700 && one.resamples < 800));
}
