#include "pipeline/sinks/bars.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "modules/core/text.hpp"

namespace fovea {
namespace {

constexpr double kWidth = 720, kHeight = 180, kLeft = 56, kTop = 28, kBottom = 20, kRight = 12;

}  // namespace

std::string bars_svg(const std::string& title, const std::vector<double>& values) {
  double low = 0, high = 0;
  for (const double v : values) low = std::min(low, v), high = std::max(high, v);
  if (!(high > low)) high = low + 1;
  const double tall = kHeight - kTop - kBottom,
               wide = (kWidth - kLeft - kRight) / std::max<double>(1, static_cast<double>(values.size()));
  const auto at = [&](double v) { return kTop + tall * (high - v) / (high - low); };
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" "
      "font-size=\"11\" "
      "fill=\"#222\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"{2}\" y=\"18\" font-size=\"13\">{3} "
      "({4})</text>\n",
      kWidth, kHeight, kLeft, markup(title), values.size());
  for (const double v : {low, high})
    text += fmt::format(
        "<path d=\"M{0} {1:.1f}H{2}\" stroke=\"#ddd\"/><text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5:.3g}</text>\n", kLeft,
        at(v), kWidth - kRight, kLeft - 6, at(v) + 4, v);
  for (std::size_t i = 0; i < values.size(); ++i)
    text += fmt::format("<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" fill=\"#0b68cb\"/>\n",
                        kLeft + static_cast<double>(i) * wide, at(std::max(values[i], 0.0)), wide > 2 ? wide - 1 : wide,
                        at(std::min(values[i], 0.0)) - at(std::max(values[i], 0.0)));
  return text + "</svg>\n";
}

}  // namespace fovea
