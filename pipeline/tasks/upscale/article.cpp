#include "pipeline/tasks/upscale/article.hpp"

#include <fmt/format.h>

#include "pipeline/sinks/report_html.hpp"
#include "pipeline/sinks/report_pictures.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

std::string size_text(cv::Size size) { return fmt::format("{} × {}", size.width, size.height); }

std::string compare(const EntryPictures& p) {
  return fmt::format(
      R"(<figure class="compare"><div class="frame"><img src="{}" alt="upscaled by the model"><img class="top" src="{}" alt="enlarged bicubically"><div class="bar"></div></div>
<input type="range" min="0" max="100" value="50" aria-label="before and after"><figcaption>left of the line: bicubic; right: the model (both shrunk to fit)</figcaption></figure>
)",
      p.after, p.before);
}

std::string details(const EntryPictures& p) {
  const auto figure = [&](const std::string& uri, const char* text) {
    return fmt::format("<figure><img src=\"{}\" width=\"{}\" height=\"{}\" alt=\"\"><figcaption>{}</figcaption></figure>\n", uri,
                       p.detail.width, p.detail.height, text);
  };
  return "<div class=\"details\">" + figure(p.detail_before, "bicubic, at the output's own pixels") +
         figure(p.detail_after, "model, the same part") + "</div>\n";
}

}  // namespace

std::string upscaled_article(const fs::path& folder, const Record& record) {
  std::vector<fs::path> overlays;
  for (const std::string& name : record.beside)
    if (name.ends_with(".overlay.jpg")) overlays.push_back(folder / name);
  std::string text = fmt::format("<article><header><h3>{}</h3>", html(record.output));
  try {
    const EntryPictures p = make_entry_pictures(record.input, folder / record.output, overlays, record.part);
    text += fmt::format("<span class=\"soft\">{} → {} · {:.1f} s</span></header>\n<div class=\"pictures\">", size_text(p.input),
                        size_text(p.output), record.seconds);
    text += compare(p) + details(p) + "</div>\n";
    if (!p.maps.empty()) {
      text += "<div class=\"maps\">";
      for (const std::string& map : p.maps) text += fmt::format("<figure><img src=\"{}\" alt=\"attention\"></figure>\n", map);
      text += "</div>\n";
      text += fmt::format("<p class=\"soft\" style=\"padding:0 18px\">attention of the model, {} of {} maps; red is high</p>\n",
                          p.maps.size(), overlays.size());
    }
  } catch (const std::exception& e) {
    text += fmt::format("</header><p class=\"soft\" style=\"padding:0 18px\">no pictures: {}</p>\n", html(e.what()));
  }
  return text + "</article>\n";
}

}  // namespace fovea
