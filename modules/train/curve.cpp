#include "modules/train/curve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace fovea {
namespace {

constexpr double kWidth = 760, kHeight = 420, kLeft = 70, kRight = 70, kTop = 30, kBottom = 50;

struct Series {
  std::vector<std::pair<double, double>> points;
  double low = 0, high = 1;

  void fit() {
    if (points.empty()) return;
    low = high = points.front().second;
    for (const auto& [x, y] : points) low = std::min(low, y), high = std::max(high, y);
    const double margin = std::max(1e-3, (high - low) * 0.06);
    low -= margin;
    high += margin;
  }
  double y(double value) const { return kTop + (kHeight - kTop - kBottom) * (high - value) / (high - low); }
};

double x_of(double step, double last) { return kLeft + (kWidth - kLeft - kRight) * step / last; }

std::string polyline(const Series& s, double last, const char* colour) {
  std::string text = fmt::format(R"(<polyline fill="none" stroke="{}" stroke-width="2" points=")", colour);
  for (const auto& [x, y] : s.points) text += fmt::format("{:.1f},{:.1f} ", x_of(x, last), s.y(y));
  return text + "\"/>\n";
}

std::string axis(const Series& s, double x, const char* anchor, const char* colour, bool exponent) {
  std::string text;
  if (s.points.empty()) return text;
  for (int i = 0; i <= 4; ++i) {
    const double value = s.low + (s.high - s.low) * i / 4;
    text += fmt::format(R"(<text x="{}" y="{:.1f}" text-anchor="{}" fill="{}">{:.4g}</text>)", x, s.y(value) + 4, anchor, colour,
                        exponent ? std::pow(10.0, value) : value);
  }
  return text + "\n";
}

}  // namespace

std::string training_curve(const std::vector<nlohmann::json>& records) {
  Series loss, score;
  double last = 1;
  // What is not finite is null once it was written as JSON.
  const auto number = [](const nlohmann::json& r, const char* key) -> std::optional<double> {
    if (!r.is_object() || !r.contains(key) || !r.at(key).is_number()) return std::nullopt;
    const auto value = r.at(key).get<double>();
    return std::isfinite(value) ? std::optional(value) : std::nullopt;
  };
  for (const auto& r : records) {
    const auto step = number(r, "step"), error = number(r, "loss"), reached = number(r, "score");
    if (!step) continue;
    last = std::max(last, *step);
    if (error && *error > 0) loss.points.emplace_back(*step, std::log10(*error));
    if (reached) score.points.emplace_back(*step, *reached);
  }
  loss.fit();
  score.fit();
  std::string svg =
      fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" font-family="sans-serif" font-size="12">)"
                  R"(<rect width="{0}" height="{1}" fill="white"/>)"
                  "\n",
                  kWidth, kHeight);
  for (int i = 0; i <= 5; ++i) {
    const double x = x_of(last * i / 5, last);
    svg += fmt::format(
        R"(<line x1="{0:.1f}" y1="{1}" x2="{0:.1f}" y2="{2}" stroke="#ddd"/><text x="{0:.1f}" y="{3}" text-anchor="middle">{4:.0f}</text>)",
        x, kTop, kHeight - kBottom, kHeight - kBottom + 18, last * i / 5);
  }
  svg += "\n" + axis(loss, kLeft - 8, "end", "#1f77b4", true) + axis(score, kWidth - kRight + 8, "start", "#d62728", false);
  svg += polyline(loss, last, "#1f77b4") + polyline(score, last, "#d62728");
  svg += fmt::format(
      R"(<text x="{}" y="18" fill="#1f77b4">training loss (log)</text><text x="{}" y="18" text-anchor="end" fill="#d62728">validation score</text>)",
      kLeft, kWidth - kRight);
  return svg + fmt::format(R"(<text x="{}" y="{}" text-anchor="middle">step</text></svg>)", kWidth / 2, kHeight - 12) + "\n";
}

}  // namespace fovea
