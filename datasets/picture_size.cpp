#include "datasets/picture_size.hpp"

#include <webp/decode.h>

#include <optional>
#include <string_view>

#include "datasets/codecs/bmp_header.hpp"
#include "datasets/codecs/formats.hpp"
#include "datasets/codecs/png_chunks.hpp"
#include "datasets/image.hpp"

namespace fovea {
namespace {

using codec::View;

struct Header {
  std::int64_t width = 0, height = 0;
  int orientation = 1;  // EXIF's 1 ... 8
};

std::uint32_t big_endian(View bytes, std::size_t at) { return static_cast<std::uint32_t>(bytes[at] << 8 | bytes[at + 1]); }

std::optional<Header> png_header(View bytes, const std::string& name) {
  const auto chunks = codec::png_chunks(bytes, name);
  const View header = chunks.front().data;
  return Header{codec::png_number(header.subspan(0, 4)), codec::png_number(header.subspan(4, 4)), codec::png_orientation(chunks)};
}

// ITU T.81, annex B: segments up to the first scan. The frame's header is one of SOF0 ... SOF15 without DHT, JPG and DAC.
std::optional<Header> jpeg_header(View bytes, const std::string&) {
  Header header;
  for (std::size_t at = 2; at + 4 <= bytes.size();) {
    if (bytes[at] != 0xff) return std::nullopt;
    const int marker = bytes[at + 1];
    if (marker == 0xff) {  // fill
      ++at;
      continue;
    }
    const std::size_t length = big_endian(bytes, at + 2);
    if (marker == 0xda) break;
    if (marker < 0xc0 || length < 2 || at + 2 + length > bytes.size()) return std::nullopt;
    const View data = bytes.subspan(at + 4, length - 2);
    const bool frame = marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (frame && data.size() >= 5) header.height = big_endian(data, 1), header.width = big_endian(data, 3);
    if (marker == 0xe1 && header.orientation == 1 && codec::has_text(data, 0, std::string_view("Exif\0\0", 6)))
      header.orientation = codec::exif_orientation(data);
    at += 2 + length;
  }
  return header;
}

std::optional<Header> bmp_header(View bytes, const std::string& name) {
  const codec::BmpHeader header = codec::read_bmp_header(bytes, name);
  return Header{header.width, header.height};
}

std::optional<Header> webp_header(View bytes, const std::string&) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(bytes.data(), bytes.size(), &features) != VP8_STATUS_OK || features.has_animation) return std::nullopt;
  Header header{features.width, features.height};
  for (std::size_t at = 12; at + 8 <= bytes.size();) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length |= std::size_t{bytes[at + 4 + i]} << 8 * i;
    if (length > bytes.size() - at - 8) return std::nullopt;
    if (codec::has_text(bytes, at, "EXIF")) header.orientation = codec::exif_orientation(bytes.subspan(at + 8, length));
    at += 8 + length + length % 2;
  }
  return header;
}

std::optional<Header> read_header(View bytes, const std::string& name) {
  const codec::Format* format = codec::by_content(bytes);
  const std::string_view kind = format ? format->name : "";
  try {
    if (kind == "PNG") return png_header(bytes, name);
    if (kind == "JPEG") return jpeg_header(bytes, name);
    if (kind == "BMP") return bmp_header(bytes, name);
    if (kind == "WebP") return webp_header(bytes, name);
  } catch (const Error&) {}  // the decoder says it, or reads it all the same
  return std::nullopt;
}

}  // namespace

cv::Size picture_size(const std::vector<std::uint8_t>& bytes, const std::string& name) {
  const auto header = read_header(bytes, name);
  if (!header || header->width <= 0 || header->height <= 0) return decode_image(bytes, name).pixels.size();
  codec::check_size(header->width, header->height, name);
  const cv::Size size(static_cast<int>(header->width), static_cast<int>(header->height));
  return header->orientation >= 5 ? cv::Size(size.height, size.width) : size;
}

cv::Size picture_size(const std::filesystem::path& file) { return picture_size(read_file(file), file.string()); }

}  // namespace fovea
