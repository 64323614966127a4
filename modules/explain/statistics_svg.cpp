#include <fmt/format.h>

#include <algorithm>

#include "modules/core/text.hpp"
#include "modules/explain/statistics.hpp"

namespace fovea::explain {
namespace {

constexpr double kWidth = 760, kHeight = 190, kLeft = 64, kRight = 16, kTop = 30, kBottom = 24;
constexpr const char* kHead =
    R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" font-family="sans-serif" font-size="11" fill="#222"><rect width="100%" height="100%" fill="#fff"/>
)";

struct Panel {
  const char* title;
  const Mean HeadStatistics::*value;
};
constexpr Panel kPanels[] = {{"entropy, nats", &HeadStatistics::entropy},
                             {"mean attention distance, input pixels", &HeadStatistics::distance},
                             {"divergence from uniform, nats", &HeadStatistics::from_uniform},
                             {"Jensen-Shannon divergence to the other heads, nats", &HeadStatistics::to_others}};

std::vector<std::string> layers_in(const std::vector<Statistics::Row>& rows) {
  std::vector<std::string> names;
  for (const auto& r : rows)
    if (names.empty() || names.back() != r.layer) names.push_back(r.layer);
  return names;
}

double place_of(std::size_t layer, std::size_t layers) {
  return kLeft + (kWidth - kLeft - kRight) * (static_cast<double>(layer) + 0.5) / static_cast<double>(layers);
}

std::string axis(double top, double most) {
  std::string text;
  const double high = kHeight - kTop - kBottom;
  for (const double part : {0.0, 0.5, 1.0}) {
    const double y = top + kTop + high * (1 - part);
    text += fmt::format(
        "<path d=\"M{:.1f} {:.1f}H{:.1f}\" stroke=\"#ddd\"/><text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{:.3g}</text>\n",
        kLeft, y, kWidth - kRight, kLeft - 6, y + 4, most * part);
  }
  return text;
}

// Points of all heads, and a line through the layers' means.
std::string panel(const Panel& p, double top, const std::vector<Statistics::Row>& rows, const std::vector<std::string>& layers) {
  double most = 0;
  for (const auto& r : rows) most = std::max(most, (r.values.*p.value).mean());
  most = most > 0 ? most * 1.05 : 1;
  std::string text =
      fmt::format("<text x=\"{}\" y=\"{:.1f}\" font-size=\"13\">{}</text>\n", kLeft, top + 18, p.title) + axis(top, most);
  const auto height_of = [&](double v) { return top + kTop + (kHeight - kTop - kBottom) * (1 - v / most); };
  std::string line;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    Mean layer;
    for (const auto& r : rows) {
      const Mean& m = r.values.*p.value;
      if (r.layer != layers[i] || m.count() == 0) continue;
      layer.add(m.mean());
      text += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"#0b68cb\" fill-opacity=\".6\"><title>{} head {}: {:.4g} ± "
          "{:.2g}</title></circle>\n",
          place_of(i, layers.size()), height_of(m.mean()), markup(r.layer), r.head, m.mean(), m.stddev());
    }
    if (layer.count() > 0)
      line += fmt::format("{}{:.1f} {:.1f}", line.empty() ? "M" : "L", place_of(i, layers.size()), height_of(layer.mean()));
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\" fill=\"#777\">{}</text>\n",
                        place_of(i, layers.size()), top + kHeight - 8, i + 1);
  }
  return text + fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"#c62\" stroke-opacity=\".7\"/>\n", line);
}

}  // namespace

std::string statistics_svg(const Statistics& statistics) {
  const auto rows = statistics.rows();
  const auto layers = layers_in(rows);
  std::vector<Panel> panels;
  for (const Panel& p : kPanels)
    if (std::any_of(rows.begin(), rows.end(), [&](const auto& r) { return (r.values.*p.value).count() > 0; }))
      panels.push_back(p);
  const double names = kHeight * static_cast<double>(panels.size()) + 20;
  std::string text = fmt::format(kHead, kWidth, names + 16 * static_cast<double>(layers.size()) + 8);
  for (std::size_t i = 0; i < panels.size(); ++i) text += panel(panels[i], kHeight * static_cast<double>(i), rows, layers);
  for (std::size_t i = 0; i < layers.size(); ++i)
    text += fmt::format("<text x=\"{}\" y=\"{}\">{}: {}</text>\n", kLeft, names + 16 * static_cast<double>(i), i + 1,
                        markup(layers[i]));
  return text + "</svg>\n";
}

}  // namespace fovea::explain
