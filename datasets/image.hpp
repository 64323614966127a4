// One decoder and one encoder for every image file that Fovea touches.
// Pixels keep their depth (8 or 16 bit), grey stays grey, alpha stays, EXIF orientation is applied once, the ICC profile rides along.
#pragma once

#include <cstdint>
#include <filesystem>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "modules/io/files.hpp"

namespace fovea {

struct Image {
  // CV_8U or CV_16U (CV_32F inside pipelines), 1, 3 or 4 channels, in OpenCV's order: grey, BGR, BGRA (alpha straight, not premultiplied).
  // A grey image with alpha is 4 channels with `grey` set.
  cv::Mat pixels;
  bool grey = false;
  std::vector<std::uint8_t> icc;  // empty: none (sRGB by convention)
};

// Reads PNG, JPEG, TIFF, BMP or WebP by content, not by name. Throws Error with the reason: missing, empty, not an image, truncated,
// damaged, too large (over 2^30 pixels), unsupported depth; FileError where the machine failed (not enough memory, read error).
Image read_image(const std::filesystem::path& file);
Image decode_image(const std::vector<std::uint8_t>& bytes, const std::string& name);

struct EncodeOptions {
  int jpeg_quality = 95;
  int webp_quality = 95;  // over 100: lossless
  int png_compression = 3;
};

// `format` is an extension without dot: png, jpg, tif, bmp, webp. Throws Error where the format cannot hold the image
// (16 bit in JPEG, BMP or WebP; alpha in JPEG or BMP).
std::vector<std::uint8_t> encode_image(const Image& image, const std::string& format, const EncodeOptions& options = {});

// A photograph as training takes it, whatever the file holds: 8 bits, grey or BGR.
cv::Mat read_photo(const std::filesystem::path& file);

// The extensions that folder walks pick up, lower case without dot.
bool is_image_extension(const std::filesystem::path& file);

}  // namespace fovea
