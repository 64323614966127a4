// Text in SVG files.
#pragma once

#include <string>

namespace fovea {

// Escaped for XML; control characters, which XML does not know, are left out.
std::string svg_text(const std::string& text);
// A name that takes up to kSvgName bytes, longer ones with two dots at the end. Escaped.
inline constexpr std::size_t kSvgName = 24;
std::string svg_name(const std::string& name);

}  // namespace fovea
