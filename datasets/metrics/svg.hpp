// Text in SVG files.
#pragma once

#include <string>

namespace fovea {

// A name that takes up to kSvgName bytes, longer ones with two dots at the end. Escaped.
inline constexpr std::size_t kSvgName = 24;
std::string svg_name(const std::string& name);

}  // namespace fovea
