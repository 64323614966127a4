#include "pipeline/sinks/drawn_text.hpp"

#include <array>
#include <string_view>

#include "modules/core/text.hpp"

namespace fovea {
namespace {

// Latin-1 Supplement and Latin Extended-A, sixteen code points a row.
constexpr char32_t kFirst = 0xc0;
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

std::string plain(char32_t code) {
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
  for (std::string_view rest = utf8; !rest.empty();) out += plain(next_character(rest));
  return out;
}

}  // namespace fovea
