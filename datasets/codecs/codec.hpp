// One file a format: bytes to pixels and back, with the format's own library, so that damage is seen and nothing reaches stderr.
#pragma once

#include <cstdint>
#include <span>
#include <string>
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

// Throws Error over 2^30 pixels. `most`: pixels that the file's bytes can hold at the format's best compression, where that is known.
void check_size(std::int64_t width, std::int64_t height, const std::string& name, std::int64_t most = INT64_MAX);

Decoded decode_png(View bytes, const std::string& name);
Decoded decode_jpeg(View bytes, const std::string& name);
Decoded decode_tiff(View bytes, const std::string& name);
Decoded decode_webp(View bytes, const std::string& name);
Decoded decode_bmp(View bytes, const std::string& name);

// The image is 8 or 16 bit, 1, 3 or 4 channels; `icc` is empty or fits the colour space.
Buffer encode_png(const Image& image, const EncodeOptions& options);
Buffer encode_jpeg(const Image& image, const EncodeOptions& options);
Buffer encode_tiff(const Image& image, const EncodeOptions& options);
Buffer encode_webp(const Image& image, const EncodeOptions& options);
Buffer encode_bmp(const Image& image, const EncodeOptions& options);

// With colour at half resolution (4:2:0) at any quality; encode_jpeg keeps its resolution from 90 on.
Buffer encode_jpeg_420(const Image& image, int quality);

// Orientation in an EXIF block (a TIFF header and its first folder, "Exif\0\0" before it allowed); 1 where there is none.
int exif_orientation(View exif);

// Grey with alpha as two channels: grey, alpha.
cv::Mat grey_and_alpha(const Image& image);

}  // namespace fovea::codec
