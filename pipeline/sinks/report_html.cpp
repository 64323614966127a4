#include "pipeline/sinks/report_html.hpp"

#include <fmt/format.h>

namespace fovea {

std::string html_list(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string text = "<dl>";
  for (const auto& [name, value] : facts) text += fmt::format("<dt>{}</dt><dd>{}</dd>", markup(name), markup(value));
  return text + "</dl>\n";
}

}  // namespace fovea
