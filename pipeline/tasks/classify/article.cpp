#include "pipeline/tasks/classify/article.hpp"

#include <fmt/format.h>

#include "pipeline/sinks/report_html.hpp"
#include "pipeline/sinks/report_pictures.hpp"
#include "pipeline/sources/pages.hpp"
#include "pipeline/tasks/classify/tables.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr int kThumbnail = 220;  // longest side, pixels

std::string bar(const Prediction& p) {
  return fmt::format("<li><span class=\"bar\" style=\"width:{:.1f}%\"></span><b>{:.1f} %</b> {}</li>\n", 100 * p.probability,
                     100 * p.probability, html(p.name));
}

}  // namespace

const char* const kPredictionsStyle = R"css(
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); gap: 16px; }
.tiles article { margin: 0; padding: 12px; }
.tiles img { max-width: 100%; height: 160px; object-fit: contain; display: block; margin: 0 auto 8px; border-radius: 6px; }
.tiles ol { list-style: none; margin: 8px 0 0; padding: 0; font-size: 13px; }
.tiles li { position: relative; padding: 2px 6px; overflow-wrap: anywhere; }
.tiles .bar { position: absolute; inset: 1px auto 1px 0; background: var(--accent); opacity: .22; border-radius: 4px; }
)css";

std::string predictions_article(const fs::path& folder, const Record& record) {
  std::string text = "<article>";
  try {
    text += fmt::format("<img src=\"{}\" alt=\"\">",
                        jpeg_uri(shrunk(displayable(read_part(record.input, record.part)), kThumbnail), 80));
  } catch (const std::exception& e) { text += fmt::format("<p class=\"soft\">no picture: {}</p>", html(e.what())); }
  text += fmt::format("<h3>{}</h3><ol>\n", html(fs::path(record.input).filename().string()));
  try {
    for (const Prediction& p : read_answer(folder / record.output)) text += bar(p);
  } catch (const std::exception& e) { text += fmt::format("<li>no answer: {}</li>", html(e.what())); }
  return text + "</ol></article>\n";
}

std::string predictions_sort_key(const fs::path& folder, const Record& record) {
  try {
    const auto top = read_answer(folder / record.output);
    return top.empty() ? std::string() : fmt::format("{}\n{:.6f}", top[0].name, 1 - top[0].probability);
  } catch (const std::exception&) { return {}; }
}

}  // namespace fovea
