#include "pipeline/sinks/drawn_text.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

namespace fovea {
namespace {

// Latin-1 Supplement and Latin Extended-A, sixteen code points a row.
constexpr std::uint32_t kFirst = 0xc0;
constexpr std::array<std::string_view, 192> kLatin = {
    "A", "A", "A", "A", "A",  "A",  "AE", "C", "E",  "E",  "E", "E", "I", "I", "I",  "I",  "D",  "N", "O",  "O", "O", "O",
    "O", "x", "O", "U", "U",  "U",  "U",  "Y", "Th", "ss", "a", "a", "a", "a", "a",  "a",  "ae", "c", "e",  "e", "e", "e",
    "i", "i", "i", "i", "d",  "n",  "o",  "o", "o",  "o",  "o", "/", "o", "u", "u",  "u",  "u",  "y", "th", "y", "A", "a",
    "A", "a", "A", "a", "C",  "c",  "C",  "c", "C",  "c",  "C", "c", "D", "d", "D",  "d",  "E",  "e", "E",  "e", "E", "e",
    "E", "e", "E", "e", "G",  "g",  "G",  "g", "G",  "g",  "G", "g", "H", "h", "H",  "h",  "I",  "i", "I",  "i", "I", "i",
    "I", "i", "I", "i", "IJ", "ij", "J",  "j", "K",  "k",  "k", "L", "l", "L", "l",  "L",  "l",  "L", "l",  "L", "l", "N",
    "n", "N", "n", "N", "n",  "n",  "N",  "n", "O",  "o",  "O", "o", "O", "o", "OE", "oe", "R",  "r", "R",  "r", "R", "r",
    "S", "s", "S", "s", "S",  "s",  "S",  "s", "T",  "t",  "T", "t", "T", "t", "U",  "u",  "U",  "u", "U",  "u", "U", "u",
    "U", "u", "U", "u", "W",  "w",  "Y",  "y", "Y",  "Z",  "z", "Z", "z", "Z", "z",  "s"};

// Takes a character off; 0 for a byte that begins none.
std::uint32_t next(std::string_view& text) {
  const auto first = static_cast<std::uint8_t>(text.front());
  const auto length = static_cast<std::size_t>(std::countl_one(first));
  text.remove_prefix(1);
  if (length == 0) return first;
  if (length == 1 || length > 4 || text.size() < length - 1) return 0;
  std::uint32_t code = first & (0x7fu >> length);
  for (std::size_t i = 0; i + 1 < length; ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if ((byte & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte & 0x3fu);
  }
  text.remove_prefix(length - 1);
  return code;
}

std::string plain(std::uint32_t code) {
  if (code >= 0x20 && code < 0x7f) return std::string(1, static_cast<char>(code));
  if (code >= kFirst && code < kFirst + kLatin.size()) return std::string(kLatin[code - kFirst]);
  if (code == 0xa0) return " ";
  if (code >= 0x2010 && code <= 0x2015) return "-";
  if (code == 0x2018 || code == 0x2019) return "'";
  if (code == 0x201c || code == 0x201d) return "\"";
  return code == 0x2026 ? "..." : "?";
}

}  // namespace

std::string drawable(const std::string& utf8) {
  std::string out;
  for (std::string_view rest = utf8; !rest.empty();) out += plain(next(rest));
  return out;
}

}  // namespace fovea
