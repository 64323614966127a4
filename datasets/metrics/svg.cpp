#include "datasets/metrics/svg.hpp"

#include "modules/core/text.hpp"

namespace fovea {

std::string svg_name(const std::string& name) {
  if (name.size() <= kSvgName) return markup(name);
  std::size_t end = kSvgName - 2;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;  // not inside a UTF-8 sequence
  return markup(name.substr(0, end)) + "..";
}

}  // namespace fovea
