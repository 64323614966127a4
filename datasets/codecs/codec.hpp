// One file a format: bytes to pixels and back, with the format's own library, so that damage is seen and nothing reaches stderr.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/image.hpp"
#include "modules/core/error.hpp"

namespace fovea::codec {

using Buffer = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

struct Decoded {
  Image image;
  int orientation = 1;  // EXIF's 1 ... 8, not applied yet
};

// What is whole, but of a kind that is not read.
template <class... Parts>
[[noreturn]] void unsupported(const std::string& name, const Parts&... kind) {
  fail(name, ": not supported: ", kind...);
}

bool has_text(View bytes, std::size_t at, std::string_view text);

// Throws Error over 2^30 pixels. `most`: pixels that the file's bytes can hold at the format's best compression, where that is known.
void check_size(std::int64_t width, std::int64_t height, const std::string& name, std::int64_t most = INT64_MAX);

// `most` for formats in which one colour takes next to nothing: any picture of 16 million pixels, larger ones by the file's size.
constexpr std::int64_t most_pixels(View bytes, std::int64_t in_byte) {
  return std::max(std::int64_t{1} << 24, static_cast<std::int64_t>(bytes.size()) * in_byte);
}

Decoded decode_png(View bytes, const std::string& name);
Decoded decode_jpeg(View bytes, const std::string& name);
Decoded decode_tiff(View bytes, const std::string& name);
Decoded decode_webp(View bytes, const std::string& name);
Decoded decode_bmp(View bytes, const std::string& name);
Decoded decode_pnm(View bytes, const std::string& name);
// Of these a build has those whose library it found.
Decoded decode_gif(View bytes, const std::string& name);
Decoded decode_heif(View bytes, const std::string& name);  // HEIC and AVIF
Decoded decode_jp2(View bytes, const std::string& name);

// What is wrong with the codes of a JPEG, without making pixels of it; empty: nothing, or a kind that this cannot tell.
std::string jpeg_damage(View bytes);

// Pages count from 0, the first one being what decode_ gives; for an animation each frame as it is shown, on what the frames before left.
std::size_t count_tiff_pages(View bytes, const std::string& name);
Decoded decode_tiff_page(View bytes, const std::string& name, std::size_t page);
std::size_t count_apng_frames(View bytes, const std::string& name);
Decoded decode_apng_frame(View bytes, const std::string& name, std::size_t frame);

// The image is 8 or 16 bit, 1, 3 or 4 channels; `icc` is empty or fits the colour space.
Buffer encode_png(const Image& image, const EncodeOptions& options);
Buffer encode_jpeg(const Image& image, const EncodeOptions& options);
Buffer encode_tiff(const Image& image, const EncodeOptions& options);
Buffer encode_webp(const Image& image, const EncodeOptions& options);
Buffer encode_bmp(const Image& image, const EncodeOptions& options);

// Orientation in an EXIF block (a TIFF header and its first folder, "Exif\0\0" before it allowed); 1 where there is none.
int exif_orientation(View exif);

// Grey with alpha as two channels: grey, alpha.
cv::Mat grey_and_alpha(const Image& image);

}  // namespace fovea::codec
