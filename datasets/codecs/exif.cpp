#include <algorithm>
#include <string_view>

#include "datasets/codecs/codec.hpp"

namespace fovea::codec {
namespace {

constexpr std::uint32_t kOrientationTag = 0x0112, kShort = 3;

struct Reader {
  View bytes;
  bool big;

  // 0 outside the block: a damaged block then has no orientation.
  std::uint32_t at(std::size_t offset, std::size_t width) const {
    if (offset > bytes.size() || bytes.size() - offset < width) return 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < width; ++i) value = value << 8 | bytes[offset + (big ? i : width - 1 - i)];
    return value;
  }
};

bool begins(View bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::equal(text.begin(), text.end(), bytes.begin(),
                                                   [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
}

}  // namespace

int exif_orientation(View exif) {
  if (begins(exif, std::string_view("Exif\0\0", 6))) exif = exif.subspan(6);
  const bool little = begins(exif, std::string_view("II*\0", 4));
  if (!little && !begins(exif, std::string_view("MM\0*", 4))) return 1;
  const Reader read{exif, !little};
  const std::size_t folder = read.at(4, 4), entries = read.at(folder, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = folder + 2 + 12 * i;
    if (read.at(entry, 2) != kOrientationTag) continue;
    const std::uint32_t value = read.at(entry + 8, read.at(entry + 2, 2) == kShort ? 2 : 4);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace fovea::codec
