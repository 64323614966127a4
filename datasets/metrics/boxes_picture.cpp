#include "datasets/metrics/boxes_picture.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "datasets/metrics/confusion_picture.hpp"
#include "datasets/metrics/svg.hpp"
#include "modules/core/text.hpp"

namespace fovea {
namespace {

constexpr double kSide = 400, kLeft = 56, kTop = 40, kLegend = kLeft + kSide + 28, kColumn = 232, kRow = 17;

// Ten colours in four ways to draw a line: forty classes can be told apart.
std::string stroke_of(std::size_t line) {
  static constexpr const char* kColours[] = {"#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
                                             "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"};
  static constexpr const char* kDashes[] = {"", "6 3", "2 2", "8 2 2 2"};
  return fmt::format(R"(fill="none" stroke="{}" stroke-width="1.5" stroke-dasharray="{}")", kColours[line % 10],
                     kDashes[line / 10 % 4]);
}

std::string axes() {
  std::string text;
  for (int i = 0; i <= 5; ++i) {
    const double part = i / 5.0, x = kLeft + kSide * part, y = kTop + kSide * (1 - part);
    text += fmt::format(R"(<path d="M{0:.1f} {1}V{2}M{3} {4:.1f}H{5}" stroke="#ddd"/>)", x, kTop, kTop + kSide, kLeft, y,
                        kLeft + kSide);
    text += fmt::format(R"(<text x="{0:.1f}" y="{1}" text-anchor="middle">{2:.1f}</text>)", x, kTop + kSide + 16, part);
    text += fmt::format(R"(<text x="{0}" y="{1:.1f}" text-anchor="end">{2:.1f}</text>)", kLeft - 6, y + 4, part) + "\n";
  }
  return text + fmt::format(R"(<text x="{0}" y="{1}" text-anchor="middle">recall</text>)", kLeft + kSide / 2, kTop + kSide + 34) +
         fmt::format(R"svg(<text transform="translate(16,{}) rotate(-90)" text-anchor="middle">precision</text>)svg",
                     kTop + kSide / 2) +
         "\n";
}

std::string curve_of(const PrecisionCurve& curve, std::size_t line) {
  std::string text = "<polyline " + stroke_of(line) + " points=\"";
  for (std::size_t i = 0; i < kRecalls; ++i)
    text += fmt::format("{:.1f},{:.1f} ", kLeft + kSide * static_cast<double>(i) / (kRecalls - 1), kTop + kSide * (1 - curve[i]));
  return text + "\"/>\n";
}

std::string entry_of(const BoxScores::PerClass& c, std::size_t line, std::size_t rows) {
  const double x = kLegend + kColumn * static_cast<double>(line / rows), y = kTop + kRow * (static_cast<double>(line % rows) + 1);
  return fmt::format(R"(<path d="M{:.0f} {:.0f}h22" {}/><text x="{:.0f}" y="{:.0f}">{} {:.3f}</text>)", x, y - 4, stroke_of(line),
                     x + 28, y, svg_name(c.name), c.ap50) +
         "\n";
}

}  // namespace

std::string precision_recall_picture(const BoxScores& scores, const std::string& title) {
  std::vector<const BoxScores::PerClass*> shown;
  for (const BoxScores::PerClass& c : scores.classes)
    if (c.ap50 >= 0) shown.push_back(&c);
  const std::size_t rows = std::max<std::size_t>(24, (shown.size() + 3) / 4), columns = (shown.size() + rows - 1) / rows;
  std::string svg = fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0:.0f} {1:.0f}" font-family="sans-serif" font-size="12">)"
      R"(<rect width="{0:.0f}" height="{1:.0f}" fill="white"/><text x="16" y="24" font-size="14">{2}</text>)"
      "\n",
      kLegend + kColumn * static_cast<double>(columns), kTop + std::max(kSide + 48, kRow * static_cast<double>(rows) + 16),
      markup(title));
  svg += axes();
  const std::size_t half = scores.threshold(0.5);
  for (std::size_t line = 0; line < shown.size(); ++line)
    svg += curve_of(shown[line]->curves.at(half), line) + entry_of(*shown[line], line, rows);
  return svg + "</svg>\n";
}

std::string confusion_picture(const BoxConfusion& confusion, const std::string& title) {
  return confusion_picture(confusion.names(), confusion.counts(), title);
}

}  // namespace fovea
