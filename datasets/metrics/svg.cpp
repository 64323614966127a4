#include "datasets/metrics/svg.hpp"

namespace fovea {

std::string svg_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '&') out += "&amp;";
    else if (c == '"') out += "&quot;";
    else if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out;
}

std::string svg_name(const std::string& name) {
  if (name.size() <= kSvgName) return svg_text(name);
  std::size_t end = kSvgName - 2;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;  // not inside a UTF-8 sequence
  return svg_text(name.substr(0, end)) + "..";
}

}  // namespace fovea
