// Text from outside, such as names of files and classes, on its way to people: what ends in a terminal, a page or a picture must be only text there.
#pragma once

#include <string>
#include <string_view>

namespace fovea {

// Takes one character of UTF-8 off the front; 0 for a byte that begins none.
char32_t next_character(std::string_view& text);

// For one line of a terminal or a log: control characters, those that turn the direction of writing, and bytes that are not UTF-8 become '?'.
std::string printable(std::string_view text);
// The same for text of several lines, which keeps line breaks and tabs.
std::string printable_lines(std::string_view text);

// For the text and the quoted attributes of HTML and XML: what means something there is escaped, bytes that are not UTF-8 become U+FFFD, and
// control characters, which XML does not know, are left out.
std::string markup(std::string_view text);

// The text of a JSON value with \uXXXX for what printable() replaces and JSON allows as it is: the same value, and fit for a terminal.
std::string printable_json(std::string_view json);

}  // namespace fovea
