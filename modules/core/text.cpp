#include "modules/core/text.hpp"

#include <bit>
#include <cstdint>

namespace fovea {
namespace {

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7f && c < 0xa0); }

// Line breaks of Unicode's own, and marks, embeddings and isolates of other directions.
bool misleads(char32_t c) {
  return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

bool is_encoded_shortest(char32_t code, std::size_t length) {
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  return code >= kLeast[length] && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
}

std::string cleaned(std::string_view text, std::string_view kept) {
  std::string clean;
  while (!text.empty()) {
    const std::string_view before = text;
    const char32_t c = next_character(text);
    const bool keeps = kept.find(before.front()) != std::string_view::npos || !(is_control(c) || misleads(c));
    if (keeps) clean += before.substr(0, before.size() - text.size());
    else clean += '?';
  }
  return clean;
}

}  // namespace

char32_t next_character(std::string_view& text) {
  const auto first = static_cast<std::uint8_t>(text.front());
  const auto length = static_cast<std::size_t>(std::countl_one(first));
  text.remove_prefix(1);
  if (length == 0) return first;
  if (length == 1 || length > 4 || text.size() < length - 1) return 0;
  char32_t code = first & (0x7fu >> length);
  for (std::size_t i = 0; i + 1 < length; ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if ((byte & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte & 0x3fu);
  }
  if (!is_encoded_shortest(code, length)) return 0;
  text.remove_prefix(length - 1);
  return code;
}

std::string printable(std::string_view text) { return cleaned(text, ""); }
std::string printable_lines(std::string_view text) { return cleaned(text, "\n\t"); }

std::string printable_json(std::string_view json) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string safe;
  while (!json.empty()) {
    const std::string_view before = json;
    const char32_t c = next_character(json);
    if (c > 0x7e && (is_control(c) || misleads(c)))
      safe += {'\\', 'u', digits[c >> 12], digits[c >> 8 & 15], digits[c >> 4 & 15], digits[c & 15]};
    else safe += before.substr(0, before.size() - json.size());
  }
  return safe;
}

std::string markup(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const std::string_view before = text;
    const char32_t c = next_character(text);
    switch (c) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      case '\'': safe += "&#39;"; break;
      case 0: safe += before.front() == 0 ? "" : "\xEF\xBF\xBD"; break;
      default:
        if (!is_control(c) || c == '\n' || c == '\t') safe += before.substr(0, before.size() - text.size());
    }
  }
  return safe;
}

}  // namespace fovea
