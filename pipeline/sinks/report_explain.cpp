#include "pipeline/sinks/report_explain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "modules/io/files.hpp"
#include "pipeline/explained.hpp"
#include "pipeline/sinks/report.hpp"
#include "pipeline/sinks/report_html.hpp"
#include "pipeline/sinks/report_pictures.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr int kSide = 420;          // pixels of a picture's longer side
constexpr std::size_t kShown = 12;  // maps

std::string figure(const fs::path& file, const std::string& text) {
  return fmt::format("<figure><img src=\"{}\" alt=\"\"><figcaption>{}</figcaption></figure>\n",
                     jpeg_uri(shrunk(displayable(read_image(file)), kSide), 85), html(text));
}

std::string class_list(const ExplainedFacts& facts) {
  if (facts.predicted.empty()) return {};
  std::vector<std::pair<std::string, std::string>> list;
  for (const auto& [name, probability] : facts.predicted) list.emplace_back(fmt::format("{:.1f} %", 100 * probability), name);
  return "<div style=\"padding:0 18px 18px\">" + html_list(list) +
         fmt::format("<p class=\"soft\">explained: {}</p></div>\n", html(facts.target));
}

std::string caption(const ExplainedMap& map) {
  if (!map.faithfulness) return map.name;
  return map.name + fmt::format(" · insertion {:.3f}, deletion {:.3f}", map.faithfulness->first, map.faithfulness->second);
}

std::string pictures(const fs::path& output, const Record& record, const ExplainedFacts& facts) {
  std::string text = "<div class=\"maps\">" + figure(record.input, "the image");
  for (std::size_t i = 0; i < std::min(kShown, facts.maps.size()); ++i)
    text += figure(output.parent_path() / facts.maps[i].overlay, caption(facts.maps[i]));
  text += "</div>\n";
  if (facts.maps.size() > kShown)
    text += fmt::format("<p class=\"soft\" style=\"padding:0 18px\">{} of {} maps; all are beside {}</p>\n", kShown,
                        facts.maps.size(), html(record.output));
  for (const std::string& picture : facts.pictures) {
    const auto svg = read_file(output.parent_path() / picture);
    text += "<div style=\"padding:0 18px 18px;overflow:auto\">" + std::string(svg.begin(), svg.end()) + "</div>\n";
  }
  return text;
}

}  // namespace

std::string explained_entry(const fs::path& folder, const Record& record) {
  std::string text = fmt::format("<article><header><h3>{}</h3>", html(fs::path(record.output).replace_extension().string()));
  try {
    const fs::path output = folder / record.output;
    const ExplainedFacts facts = read_explained(output);
    const std::string shown = pictures(output, record, facts);
    text += fmt::format("<span class=\"soft\">{} · {:.1f} s</span></header>\n", html(facts.method), record.seconds);
    return text + shown + class_list(facts) + "</article>\n";
  } catch (const std::exception& e) {
    return text +
           fmt::format("</header><p class=\"soft\" style=\"padding:0 18px\">no pictures: {}</p></article>\n", html(e.what()));
  }
}

}  // namespace fovea
