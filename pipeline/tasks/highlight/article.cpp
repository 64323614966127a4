#include "pipeline/tasks/highlight/article.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "pipeline/sinks/report_html.hpp"
#include "pipeline/sinks/report_pictures.hpp"
#include "pipeline/tasks/highlight/tables.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

// What people look at: overlays and maps.
bool shown_in_report(const std::string& file) {
  constexpr std::array<const char*, 4> kNumbers{".mask.png", ".objects.png", ".probability.png", ".uncertainty.png"};
  return file.ends_with(".png") &&
         std::none_of(kNumbers.begin(), kNumbers.end(), [&](const char* end) { return file.ends_with(end); });
}

// Pictures that differ by the number that their names begin with, as those of a volume do, are one series.
struct Series {
  std::string caption;
  std::vector<std::string> files;
};

std::vector<Series> series_of(const std::vector<std::string>& files) {
  std::vector<Series> all;
  for (const std::string& file : files) {
    if (!shown_in_report(file)) continue;
    const fs::path folder = fs::path(file).parent_path(), name = fs::path(file).stem();
    const std::string kind = folder.extension(), number = name.string().substr(0, name.string().find('.'));
    const bool one_of_many = kind == ".overlays" || kind == ".maps";
    const std::string caption = !one_of_many      ? name.string()
                                : kind == ".maps" ? name.string().substr(std::min(number.size() + 1, name.string().size()))
                                                  : "overlay";
    const auto known = std::find_if(all.begin(), all.end(), [&](const Series& s) { return one_of_many && s.caption == caption; });
    if (known == all.end()) all.push_back({caption, {file}});
    else known->files.push_back(file);
  }
  return all;
}

}  // namespace

std::string highlighted_article(const fs::path& folder, const Record& record) {
  std::string text = fmt::format("<article><header><h3>{}</h3><span class=\"soft\">{:.1f} s</span></header>\n",
                                 html(fs::path(record.output).replace_extension().string()), record.seconds);
  try {
    const auto totals = class_totals(folder / record.output);
    std::string sliders, figures;
    for (const Series& s : series_of(record.beside))
      if (s.files.size() > 1) sliders += picture_slider(folder, s.files, s.caption);
      else figures += figure(folder / s.files.front(), s.caption);
    if (!sliders.empty()) text += "<div class=\"pictures\">" + sliders + "</div>\n";
    if (!figures.empty()) text += "<div class=\"maps\">" + figures + "</div>\n";
    return text + "<div style=\"padding:0 18px 18px\">" + html_list(totals) + "</div></article>\n";
  } catch (const std::exception& e) {
    return text + fmt::format("<p class=\"soft\" style=\"padding:0 18px\">no pictures: {}</p></article>\n", html(e.what()));
  }
}

}  // namespace fovea
