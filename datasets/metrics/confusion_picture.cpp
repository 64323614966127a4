#include "datasets/metrics/confusion_picture.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "datasets/metrics/svg.hpp"
#include "modules/core/error.hpp"
#include "modules/core/text.hpp"

namespace fovea {
namespace {

struct Sheet {
  double cell = 0, left = 0, top = 0;
  bool names = true, numbers = true;
};

Sheet sheet_for(const std::vector<std::string>& classes) {
  std::size_t longest = 0;
  for (const std::string& c : classes) longest = std::max(longest, c.size());
  const auto n = static_cast<double>(classes.size());
  Sheet s;
  s.cell = std::clamp(720 / n, 2.0, 48.0);
  s.names = s.cell >= 10;
  s.numbers = s.cell >= 22;
  const double margin = s.names ? 24 + 7 * static_cast<double>(std::min(longest, kSvgName)) : 24;
  s.left = margin + 16, s.top = margin + 40;
  return s;
}

std::string cell(const Sheet& s, std::size_t row, std::size_t column, std::int64_t count, double share) {
  const double x = s.left + s.cell * static_cast<double>(column), y = s.top + s.cell * static_cast<double>(row);
  const auto tint = [&](double full) { return static_cast<int>(255 - share * (255 - full)); };
  std::string out = fmt::format(R"svg(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="rgb({},{},{})"/>)svg", x,
                                y, s.cell, s.cell, tint(8), tint(48), tint(107));
  if (s.numbers && count > 0)
    out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle" fill="{}">{}</text>)", x + s.cell / 2,
                       y + s.cell / 2 + 4, share > 0.5 ? "white" : "black", count);
  return out + "\n";
}

std::string names(const Sheet& s, const std::vector<std::string>& classes) {
  std::string out;
  for (std::size_t i = 0; i < classes.size() && s.names; ++i) {
    const double middle = s.cell * (static_cast<double>(i) + 0.5) + 4, x = s.left + middle, y = s.top - 8;
    out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)", s.left - 8, s.top + middle,
                       svg_name(classes[i]));
    out += fmt::format(R"svg(<text transform="translate({:.1f},{:.1f}) rotate(-90)">{}</text>)svg", x, y, svg_name(classes[i])) +
           "\n";
  }
  return out;
}

}  // namespace

std::string confusion_picture(const std::vector<std::string>& classes, const std::vector<std::vector<std::int64_t>>& counts,
                              const std::string& title) {
  const std::size_t n = classes.size();
  check(counts.size() == n, "confusion picture: expected ", n, " rows, got ", counts.size());
  const Sheet s = sheet_for(classes);
  const double side = s.cell * static_cast<double>(n);
  std::string svg = fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0:.0f} {1:.0f}" font-family="sans-serif" font-size="11">)"
      R"(<rect width="{0:.0f}" height="{1:.0f}" fill="white"/><text x="16" y="24" font-size="14">{2}</text>)",
      s.left + side + 24, s.top + side + 40, markup(title));
  svg += "\n" + names(s, classes);
  for (std::size_t r = 0; r < n; ++r) {
    check(counts[r].size() == n, "confusion picture: expected ", n, " columns, got ", counts[r].size());
    std::int64_t total = 0;
    for (const std::int64_t v : counts[r]) total += v;
    for (std::size_t c = 0; c < n; ++c) {
      const std::int64_t v = counts[r][c];
      svg += cell(s, r, c, v, total > 0 ? static_cast<double>(v) / static_cast<double>(total) : 0);
    }
  }
  svg += fmt::format(R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="none" stroke="#888"/>)", s.left, s.top,
                     side, side);
  svg +=
      fmt::format(R"(<text x="{:.1f}" y="{:.1f}">rows: the truth; columns: what the model said; shade: share of the row</text>)",
                  s.left, s.top + side + 24);
  return svg + "</svg>\n";
}

}  // namespace fovea
