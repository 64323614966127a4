#include "datasets/codecs/png_chunks.hpp"

#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>

namespace fovea::codec {
namespace {

constexpr std::size_t kMostText = std::size_t{1} << 22;  // bytes of a text that was compressed; metadata takes a hundredth

std::string_view text_of(View bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// Empty where it is damaged or too long.
std::string inflated(std::string_view packed) {
  std::string out(std::min(kMostText, packed.size() * 1032 + 64), '\0');
  auto size = static_cast<uLongf>(out.size());
  const int result = ::uncompress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(packed.data()),
                                  static_cast<uLong>(packed.size()));
  out.resize(result == Z_OK ? size : 0);
  return out;
}

// What stands before the next zero byte, which is taken off with it.
std::optional<std::string_view> field(std::string_view& rest) {
  const std::size_t end = rest.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view value = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return value;
}

// The text under a keyword in tEXt, zTXt or iTXt.
std::optional<std::string> text_under(const PngChunk& chunk, std::string_view keyword) {
  std::string_view rest = text_of(chunk.data);
  if (chunk.type != "tEXt" && chunk.type != "zTXt" && chunk.type != "iTXt") return std::nullopt;
  if (field(rest) != keyword) return std::nullopt;
  if (chunk.type == "tEXt") return std::string(rest);
  if (chunk.type == "zTXt") return rest.empty() ? std::string() : inflated(rest.substr(1));
  if (rest.size() < 2) return std::nullopt;
  const bool packed = rest[0] != 0;
  rest.remove_prefix(2);
  if (!field(rest) || !field(rest)) return std::nullopt;  // language, translated keyword
  return packed ? inflated(rest) : std::string(rest);
}

// "\nexif\n      70\n4d4d002a...": a name, a length, and hexadecimal digits over several lines.
Buffer raw_profile(const std::string& text) {
  std::size_t at = 0;
  for (int line = 0; line < 3; ++line) at = std::min(text.find('\n', at), text.size() - 1) + 1;
  Buffer bytes;
  int high = -1;
  for (; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (!std::isxdigit(c)) continue;
    const int digit = std::isdigit(c) ? c - '0' : std::tolower(c) - 'a' + 10;
    if (high >= 0) bytes.push_back(static_cast<std::uint8_t>(high << 4 | digit));
    high = high >= 0 ? -1 : digit;
  }
  return bytes;
}

// As an attribute, tiff:Orientation="6", or as an element, <tiff:Orientation>6</tiff:Orientation>.
int xmp_orientation(const std::string& xmp) {
  constexpr std::string_view kName = "tiff:Orientation";
  std::size_t at = xmp.find(kName);
  if (at == std::string::npos) return 1;
  at = xmp.find_first_not_of(" \t\r\n=>\"'", at + kName.size());
  if (at == std::string::npos || xmp[at] < '1' || xmp[at] > '8') return 1;
  const bool longer = at + 1 < xmp.size() && std::isdigit(static_cast<unsigned char>(xmp[at + 1]));
  return longer ? 1 : xmp[at] - '0';
}

}  // namespace

std::vector<PngChunk> png_chunks(View bytes, const std::string& name) {
  std::vector<PngChunk> chunks;
  std::size_t at = 8;
  while (chunks.empty() || chunks.back().type != "IEND") {
    check(at + 12 <= bytes.size(), name, ": truncated PNG: it ends too early");
    const std::size_t length = png_number(bytes.subspan(at, 4)), left = bytes.size() - at - 12;
    std::string type(text_of(bytes.subspan(at + 4, 4)));
    for (char& c : type)
      if (!std::isalpha(static_cast<unsigned char>(c))) c = '?';
    check(type.find('?') == std::string::npos, name, ": damaged PNG: a chunk of type ", type);
    check(length <= left, name, ": truncated or damaged PNG: its chunk ", type, " says ", length, " bytes, ", left, " are left");
    if (type == "CgBI") unsupported(name, "a PNG of Apple's own kind (CgBI), which other programs do not read; convert it");
    check(!chunks.empty() || (type == "IHDR" && length == 13), name, ": damaged PNG: it begins with ", type, " of ", length,
          " bytes instead of its header");
    chunks.push_back({std::move(type), bytes.subspan(at + 8, length)});
    at += length + 12;
  }
  return chunks;
}

std::uint32_t png_number(View four) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | four[i];
  return value;
}

void put_png_number(std::uint32_t value, std::uint8_t* to) {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}

void append_png_chunk(Buffer& file, const std::string& type, View data) {
  const std::size_t at = file.size();
  file.resize(at + data.size() + 12);
  put_png_number(static_cast<std::uint32_t>(data.size()), file.data() + at);
  std::copy(type.begin(), type.end(), file.begin() + static_cast<std::ptrdiff_t>(at + 4));
  std::copy(data.begin(), data.end(), file.begin() + static_cast<std::ptrdiff_t>(at + 8));
  const auto crc = ::crc32(0, file.data() + at + 4, static_cast<uInt>(data.size() + 4));
  put_png_number(static_cast<std::uint32_t>(crc), file.data() + at + 8 + data.size());
}

int png_orientation(const std::vector<PngChunk>& chunks) {
  for (const PngChunk& chunk : chunks)
    if (chunk.type == "eXIf") return exif_orientation(chunk.data);
  for (const PngChunk& chunk : chunks)
    for (const char* keyword : {"Raw profile type exif", "Raw profile type APP1"})
      if (const auto text = text_under(chunk, keyword); text && !text->empty()) {
        const int orientation = exif_orientation(raw_profile(*text));
        if (orientation != 1) return orientation;
      }
  for (const PngChunk& chunk : chunks)
    if (const auto text = text_under(chunk, "XML:com.adobe.xmp")) return xmp_orientation(*text);
  return 1;
}

}  // namespace fovea::codec
