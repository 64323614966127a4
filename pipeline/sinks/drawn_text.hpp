// Text for cv::putText, whose fonts hold the characters of ASCII only.
#pragma once

#include <string>

namespace fovea {

// Latin letters with marks lose them ("Käfer" -> "Kafer", "ß" -> "ss"), typographic quotes and dashes become plain ones. Every
// other character that is not ASCII, control characters, and bytes that are no UTF-8 become '?'.
std::string drawable(const std::string& utf8);

}  // namespace fovea
