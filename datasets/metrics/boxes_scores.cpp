#include "datasets/metrics/boxes.hpp"
#include "datasets/metrics/boxes_curve.hpp"

namespace fovea {
namespace {

enum Area : std::uint8_t { kAll, kSmall, kMedium, kLarge };
using Objects = std::array<std::int64_t, kBoxAreas>;

// Of one class, means over the thresholds; -1 where it has no objects.
struct Figures {
  double ap[kBoxAreas] = {-1, -1, -1, -1}, ar[kBoxAreas] = {-1, -1, -1, -1};
  double ap50 = -1, ap75 = -1, ar1 = -1, ar10 = -1;
  std::vector<PrecisionCurve> curves;
};

RightAndWrong counted(const std::vector<RankedMatch>& all, std::size_t threshold, std::size_t area, std::size_t most) {
  const std::uint32_t bit = std::uint32_t{1} << threshold;
  RightAndWrong counts;
  for (const RankedMatch& r : all)
    if (r.rank < most && !(r.match->ignored[area] & bit)) counts.add(r.match->found[area] & bit);
  return counts;
}

double recall(const std::vector<RankedMatch>& all, std::int64_t objects, std::size_t thresholds, std::size_t most) {
  double sum = 0;
  for (std::size_t t = 0; t < thresholds; ++t) sum += counted(all, t, kAll, most).right() / static_cast<double>(objects);
  return sum / static_cast<double>(thresholds);
}

Figures figures_of(const std::vector<RankedMatch>& all, const Objects& objects, const BoxScores& s) {
  Figures f;
  const std::size_t thresholds = s.thresholds.size();
  for (std::size_t area = 0; area < kBoxAreas; ++area) {
    if (objects[area] == 0) continue;
    double ap = 0, ar = 0;
    for (std::size_t t = 0; t < thresholds; ++t) {
      RightAndWrong counts = counted(all, t, area, kMostDetections);
      const auto n = static_cast<double>(objects[area]);
      const PrecisionCurve curve = counts.curve(n);
      ap += mean_of(curve);
      ar += counts.right() / n;
      if (area == kAll) f.curves.push_back(curve);
    }
    f.ap[area] = ap / static_cast<double>(thresholds);
    f.ar[area] = ar / static_cast<double>(thresholds);
  }
  if (objects[kAll] == 0) return f;
  f.ar1 = recall(all, objects[kAll], thresholds, 1);
  f.ar10 = recall(all, objects[kAll], thresholds, 10);
  if (const auto half = s.threshold(0.5); half < thresholds) f.ap50 = mean_of(f.curves[half]);
  if (const auto three_quarters = s.threshold(0.75); three_quarters < thresholds) f.ap75 = mean_of(f.curves[three_quarters]);
  return f;
}

// Detections of one score stand or fall together. F1 = 2 right / (detections + objects).
void cut_best(BoxScores::PerClass& c, const std::vector<RankedMatch>& all, std::size_t threshold) {
  const std::uint32_t bit = std::uint32_t{1} << threshold;
  const auto objects = static_cast<double>(c.objects);
  c.best_f1 = c.best_score = c.best_precision = c.best_recall = 0;
  RightAndWrong counts;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const BoxMatch& m = *all[i].match;
    if (!(m.ignored[kAll] & bit)) counts.add(m.found[kAll] & bit);
    if (i + 1 < all.size() && all[i + 1].match->score == m.score) continue;
    const double f1 = 2 * counts.right() / (counts.right() + counts.wrong() + objects);
    if (f1 <= c.best_f1) continue;
    c.best_f1 = f1, c.best_score = m.score;
    c.best_precision = counts.right() / (counts.right() + counts.wrong());
    c.best_recall = counts.right() / objects;
  }
}

// Over the classes that have objects.
template <class Of>
double mean_over(const std::vector<Figures>& classes, const Of& of) {
  double sum = 0, count = 0;
  for (const Figures& f : classes)
    if (of(f) >= 0) sum += of(f), ++count;
  return count > 0 ? sum / count : -1;
}

void summarise(BoxScores& s, const std::vector<Figures>& classes) {
  const auto ap = [&](Area area) { return mean_over(classes, [&](const Figures& f) { return f.ap[area]; }); };
  const auto ar = [&](Area area) { return mean_over(classes, [&](const Figures& f) { return f.ar[area]; }); };
  s.ap = ap(kAll), s.ap_small = ap(kSmall), s.ap_medium = ap(kMedium), s.ap_large = ap(kLarge);
  s.ar100 = ar(kAll), s.ar_small = ar(kSmall), s.ar_medium = ar(kMedium), s.ar_large = ar(kLarge);
  s.ap50 = mean_over(classes, [](const Figures& f) { return f.ap50; });
  s.ap75 = mean_over(classes, [](const Figures& f) { return f.ap75; });
  s.ar1 = mean_over(classes, [](const Figures& f) { return f.ar1; });
  s.ar10 = mean_over(classes, [](const Figures& f) { return f.ar10; });
}

}  // namespace

std::size_t BoxScores::threshold(double iou) const { return place_of(iou, thresholds); }

std::vector<std::pair<std::string, double>> BoxScores::figures() const {
  return {
      {"AP", ap},   {"AP50", ap50}, {"AP75", ap75},   {"AP_small", ap_small}, {"AP_medium", ap_medium}, {"AP_large", ap_large},
      {"AR1", ar1}, {"AR10", ar10}, {"AR100", ar100}, {"AR_small", ar_small}, {"AR_medium", ar_medium}, {"AR_large", ar_large}};
}

BoxScores BoxMetrics::scores() const {
  BoxScores s;
  s.thresholds = thresholds_;
  std::vector<Figures> classes;
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    Objects objects{};
    for (const OfImage& i : found_[c])
      for (std::size_t a = 0; a < kBoxAreas; ++a) objects[a] += i.matches.objects[a];
    const auto all = ranked(c);
    Figures f = figures_of(all, objects, s);
    BoxScores::PerClass& one = s.classes.emplace_back();
    one.name = classes_[c], one.objects = objects[kAll], one.detections = std::ssize(all);
    one.ap = f.ap[kAll], one.ap50 = f.ap50, one.ar100 = f.ar[kAll];
    if (f.ap50 >= 0) cut_best(one, all, s.threshold(0.5));
    one.curves = std::move(f.curves);
    classes.push_back(std::move(f));
  }
  summarise(s, classes);
  return s;
}

}  // namespace fovea
