#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "apps/fovea/study.hpp"
#include "datasets/csv.hpp"
#include "modules/core/text.hpp"

namespace fovea {
namespace {

constexpr std::size_t kLongest = 16;  // label that still stands beside its point
constexpr int kLegendLine = 18;
constexpr int kWidth = 760, kHeight = 460, kLeft = 70, kRight = 30, kTop = 40, kBottom = 60;

double score(const StudyResult& r) { return r.score; }
double seconds(const StudyResult& r) { return r.seconds; }
double insertion(const StudyResult& r) { return r.insertion; }
double deletion(const StudyResult& r) { return r.deletion; }
StudyRow::Number metric(const std::string& name) {
  return [name](const StudyResult& r) { return r.metrics.count(name) ? r.metrics.at(name) : std::nan(""); };
}

// The names of all numbers that the trainings were validated by.
std::set<std::string> metrics_of(const std::vector<StudyRow>& rows) {
  std::set<std::string> names;
  for (const StudyRow& row : rows)
    for (const StudyResult& r : row.results)
      for (const auto& [name, value] : r.metrics) names.insert(name);
  return names;
}

bool any_maps(const std::vector<StudyRow>& rows) {
  return std::any_of(rows.begin(), rows.end(), [](const StudyRow& row) {
    return std::any_of(row.results.begin(), row.results.end(), [](const StudyResult& r) { return r.maps; });
  });
}

// Positions of an axis that covers its values with a margin.
struct Axis {
  double low = 1e300, high = -1e300;
  void cover(double v) { low = std::min(low, v), high = std::max(high, v); }
  void widen() {
    const double margin = std::max(0.08 * (high - low), 1e-3 * std::max(1.0, std::abs(high)));
    low -= margin, high += margin;
  }
  double share(double v) const { return (v - low) / (high - low); }
};

double x_of(const Axis& a, double v) { return kLeft + a.share(v) * (kWidth - kLeft - kRight); }
double y_of(const Axis& a, double v) { return kHeight - kBottom - a.share(v) * (kHeight - kTop - kBottom); }

std::string grid(const Axis& x, const Axis& y) {
  std::string svg;
  for (int i = 0; i <= 5; ++i) {
    const double vx = x.low + (x.high - x.low) * i / 5, vy = y.low + (y.high - y.low) * i / 5;
    svg += fmt::format(
        R"(<line x1="{0:.1f}" y1="{1}" x2="{0:.1f}" y2="{2}" stroke="#e4e4e4"/><text x="{0:.1f}" y="{3}" text-anchor="middle">{4:.2f}</text>)",
        x_of(x, vx), kTop, kHeight - kBottom, kHeight - kBottom + 18, vx);
    svg += fmt::format(
        R"(<line x1="{1}" y1="{0:.1f}" x2="{2}" y2="{0:.1f}" stroke="#e4e4e4"/><text x="{3}" y="{4:.1f}" text-anchor="end">{5:.4g}</text>)",
        y_of(y, vy), kLeft, kWidth - kRight, kLeft - 8, y_of(y, vy) + 4, vy);
  }
  return svg;
}

// A point with its spread as a bar, the label above, below or beside so that neighbours stay readable.
std::string point(const StudyRow& r, const std::string& label, const Axis& x, const Axis& y, std::size_t number) {
  const double cx = x_of(x, r.latency), mean = r.mean(score), spread = r.spread(score);
  const double cy = y_of(y, mean), dy = number % 2 == 0 ? -10 : 18;
  const bool left = cx > kWidth * 0.75;
  return fmt::format(
             R"(<line x1="{0:.1f}" y1="{1:.1f}" x2="{0:.1f}" y2="{2:.1f}" stroke="#9ab" stroke-width="2"/><circle cx="{0:.1f}" cy="{3:.1f}" r="5" fill="{4}"/><text x="{5:.1f}" y="{6:.1f}" text-anchor="{7}">{8}</text>)",
             cx, y_of(y, mean + spread), y_of(y, mean - spread), cy, r.label == "none" ? "#d62728" : "#1f77b4",
             cx + (left ? -7 : 7), cy + dy, left ? "end" : "start", markup(label)) +
         "\n";
}

// What the numbers at the points stand for, below the plot.
std::string legend(const std::vector<StudyRow>& rows) {
  std::string svg;
  for (std::size_t i = 0; i < rows.size(); ++i)
    svg += fmt::format(R"(<text x="{}" y="{}" text-anchor="end">{}</text><text x="{}" y="{}">{}</text>)", kLeft,
                       kHeight + kLegendLine * (static_cast<int>(i) + 1), i + 1, kLeft + 10,
                       kHeight + kLegendLine * (static_cast<int>(i) + 1), markup(rows[i].label)) +
           "\n";
  return svg;
}

}  // namespace

double StudyRow::mean(const Number& number) const {
  double sum = 0;
  for (const StudyResult& r : results) sum += number(r);
  return results.empty() ? 0 : sum / static_cast<double>(results.size());
}

double StudyRow::spread(const Number& number) const {
  if (results.size() < 2) return 0;
  double sum = 0;
  for (const StudyResult& r : results) sum += (number(r) - mean(number)) * (number(r) - mean(number));
  return std::sqrt(sum / static_cast<double>(results.size() - 1));
}

std::string study_table(const std::vector<StudyRow>& rows) {
  std::size_t width = 5;
  for (const StudyRow& r : rows) width = std::max(width, r.label.size());
  const auto metrics = metrics_of(rows);
  std::string text = fmt::format("{:<{}}  {:>17}", "block", width, "score");
  for (const std::string& m : metrics) text += fmt::format("  {:>{}}", m, std::max<std::size_t>(9, m.size()));
  text += fmt::format("  {:>10}  {:>8}  {:>10}  {:>8}", "parameters", "M MACs", "latency ms", "train s");
  text += any_maps(rows) ? fmt::format("  {:>9}  {:>8}\n", "insertion", "deletion") : "\n";
  for (const StudyRow& r : rows) {
    text += fmt::format("{:<{}}  {:>8.4f} ± {:<6.4f}", r.label, width, r.mean(score), r.spread(score));
    for (const std::string& m : metrics)
      text += fmt::format("  {:>{}.4f}", r.mean(metric(m)), std::max<std::size_t>(9, m.size()));
    text += fmt::format("  {:>10}  {:>8.1f}  {:>10.2f}  {:>8.0f}", r.parameters, static_cast<double>(r.multiply_adds) / 1e6,
                        r.latency, r.mean(seconds));
    text += any_maps(rows) ? fmt::format("  {:>9.3f}  {:>8.3f}\n", r.mean(insertion), r.mean(deletion)) : "\n";
  }
  return text;
}

std::string study_csv(const std::vector<StudyRow>& rows) {
  const auto metrics = metrics_of(rows);
  std::string text = "block,seeds,score,score_sd";
  for (const std::string& m : metrics) text += "," + csv_field(m);
  text += ",parameters,multiply_adds,latency_ms,train_s";
  text += any_maps(rows) ? ",insertion_auc,deletion_auc\n" : "\n";
  for (const StudyRow& r : rows) {
    text += fmt::format("{},{},{:.5f},{:.5f}", csv_field(r.label), r.results.size(), r.mean(score), r.spread(score));
    for (const std::string& m : metrics) text += fmt::format(",{:.5f}", r.mean(metric(m)));
    text += fmt::format(",{},{},{:.4f},{:.1f}", r.parameters, r.multiply_adds, r.latency, r.mean(seconds));
    text += any_maps(rows) ? fmt::format(",{:.5f},{:.5f}\n", r.mean(insertion), r.mean(deletion)) : "\n";
  }
  return text;
}

std::string study_svg(const std::vector<StudyRow>& rows, const std::string& title) {
  Axis x, y;
  for (const StudyRow& r : rows) {
    x.cover(r.latency);
    y.cover(r.mean(score) - r.spread(score));
    y.cover(r.mean(score) + r.spread(score));
  }
  x.widen(), y.widen();
  const bool numbered = std::any_of(rows.begin(), rows.end(), [](const StudyRow& r) { return r.label.size() > kLongest; });
  const int height = kHeight + (numbered ? kLegendLine * (static_cast<int>(rows.size()) + 1) : 0);
  std::string svg =
      fmt::format(
          R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" font-family="sans-serif" font-size="12"><rect width="{0}" height="{1}" fill="white"/>)",
          kWidth, height) +
      "\n" + grid(x, y) + "\n";
  for (std::size_t i = 0; i < rows.size(); ++i) svg += point(rows[i], numbered ? std::to_string(i + 1) : rows[i].label, x, y, i);
  if (numbered) svg += legend(rows);
  return svg +
         fmt::format(
             R"svg(<text x="{}" y="22" font-size="14">{}</text><text x="{}" y="{}" text-anchor="middle">latency of one picture, ms</text><text transform="translate(20,{}) rotate(-90)" text-anchor="middle">score (bars: standard deviation over seeds)</text></svg>)svg",
             kLeft, markup(title), (kWidth + kLeft) / 2, kHeight - 16, kHeight / 2) +
         "\n";
}

}  // namespace fovea
