#include "pipeline/sinks/report_html.hpp"

#include <fmt/format.h>

#include "pipeline/sinks/ledger_json.hpp"

namespace fovea {

std::string html(const std::string& text) {
  const std::string valid = nlohmann::ordered_json::parse(dump(text)).get<std::string>();
  std::string safe;
  for (const char c : valid) {
    switch (c) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      default: safe += c;
    }
  }
  return safe;
}

std::string html_list(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string text = "<dl>";
  for (const auto& [name, value] : facts) text += fmt::format("<dt>{}</dt><dd>{}</dd>", html(name), html(value));
  return text + "</dl>\n";
}

}  // namespace fovea
