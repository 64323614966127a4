#include "pipeline/sinks/report_explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "modules/io/files.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/sinks/report.hpp"
#include "pipeline/sinks/report_html.hpp"
#include "pipeline/sinks/report_pictures.hpp"
#include "pipeline/sources/pages.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSide = 420;          // pixels of a picture's longer side
constexpr std::size_t kShown = 12;  // maps

std::string figure(const fs::path& file, const std::string& text, const std::string& part = {}) {
  return fmt::format("<figure><img src=\"{}\" alt=\"\"><figcaption>{}</figcaption></figure>\n",
                     jpeg_uri(shrunk(displayable(read_part(file, part)), kSide), 85), html(text));
}

std::string class_list(const Json& facts) {
  if (!facts.contains("predicted")) return {};
  std::vector<std::pair<std::string, std::string>> list;
  for (const Json& c : facts["predicted"])
    list.emplace_back(fmt::format("{:.1f} %", 100 * c["probability"].get<double>()), c["class"].get<std::string>());
  return "<div style=\"padding:0 18px 18px\">" + html_list(list) +
         fmt::format("<p class=\"soft\">explained: {}</p></div>\n", html(facts["target"]["class"].get<std::string>()));
}

std::string caption(const Json& map) {
  std::string text = map["name"].get<std::string>();
  if (map.contains("faithfulness"))
    text += fmt::format(" · insertion {:.3f}, deletion {:.3f}", map["faithfulness"]["insertion_auc"].get<double>(),
                        map["faithfulness"]["deletion_auc"].get<double>());
  return text;
}

std::string pictures(const fs::path& output, const Record& record, const Json& facts) {
  std::string text = "<div class=\"maps\">" + figure(record.input, "the image", record.part);
  const Json maps = facts.value("maps", Json::array()), channels = facts.value("channels", Json::array());
  for (std::size_t i = 0; i < std::min(kShown, maps.size()); ++i)
    text += figure(output.parent_path() / get_name(maps[i], "overlay"), caption(maps[i]));
  text += "</div>\n";
  if (maps.size() > kShown)
    text += fmt::format("<p class=\"soft\" style=\"padding:0 18px\">{} of {} maps; all are beside {}</p>\n", kShown, maps.size(),
                        html(record.output));
  for (const Json& c : channels) {
    const auto svg = read_file(output.parent_path() / get_name(c, "picture"));
    text += "<div style=\"padding:0 18px 18px;overflow:auto\">" + std::string(svg.begin(), svg.end()) + "</div>\n";
  }
  return text;
}

}  // namespace

std::string explained_entry(const fs::path& folder, const Record& record) {
  std::string text = fmt::format("<article><header><h3>{}</h3>", html(fs::path(record.output).replace_extension().string()));
  try {
    const fs::path output = folder / record.output;
    const auto bytes = read_file(output);
    const Json facts = Json::parse(bytes.begin(), bytes.end());
    const std::string shown = pictures(output, record, facts);
    text += fmt::format("<span class=\"soft\">{} · {:.1f} s</span></header>\n", html(facts["method"].get<std::string>()),
                        record.seconds);
    return text + shown + class_list(facts) + "</article>\n";
  } catch (const std::exception& e) {
    return text +
           fmt::format("</header><p class=\"soft\" style=\"padding:0 18px\">no pictures: {}</p></article>\n", html(e.what()));
  }
}

}  // namespace fovea
