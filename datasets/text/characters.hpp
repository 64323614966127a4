// What a code point of Unicode is to text that is split into words. By ranges that are written out here and no locale, so that
// the same text gives the same words on every machine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

enum class CharacterKind : std::uint8_t {
  blank,        // spaces, line ends, control characters, marks without width, U+FFFD, what is no character
  punctuation,  // of ASCII all marks but $ % & + = # @; quotes, dashes and brackets of other scripts
  symbol,       // $ % & + = # @, currencies, arrows, mathematical signs, emoji
  modifier,     // of the symbol before it: variants, skin tones, keycaps, tags
  ideograph,    // Han
  letter        // all else: letters, digits, combining marks
};

CharacterKind kind_of(char32_t c);
bool is_digit(char32_t c);  // 0 to 9

// The small letter of one of Latin, Greek, Cyrillic or Armenian; another character is its own. One for one: U+0130 becomes i.
char32_t lower_case(char32_t c);

// The code points of UTF-8. A byte that belongs to none is U+FFFD.
std::vector<char32_t> characters_of(std::string_view utf8);
void append_utf8(std::string& to, char32_t c);

}  // namespace fovea
