// One decoder and one encoder for every image file that Fovea touches.
// Pixels keep their depth (8 or 16 bit), grey stays grey, alpha stays, EXIF orientation is applied once, the ICC profile rides along.
#pragma once

#include <cstdint>
#include <filesystem>
#include <opencv2/core.hpp>
#include <optional>
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
  // What the file holds beside this, for people: further pages, channels of unknown meaning.
  std::vector<std::string> notes = {};
  std::string format = {};  // of the file that it was read from: "JPEG"; empty: it was made here
};

// Reads pictures by content, not by name. Throws Error with the reason: missing, empty, not an image, truncated,
// damaged, too large (over 2^30 pixels), or "not supported: " and what it is; FileError where the machine failed (not enough memory, read
// error).
// `page`: of a file that holds several pictures (pages of TIFF, frames of animated PNG), from 0; without one the first is read, and
// a note says how many there are.
Image read_image(const std::filesystem::path& file, std::optional<std::size_t> page = {});
Image decode_image(const std::vector<std::uint8_t>& bytes, const std::string& name, std::optional<std::size_t> page = {});
std::size_t count_pages(const std::filesystem::path& file);

struct EncodeOptions {
  int jpeg_quality = 95;
  int webp_quality = 95;  // over 100: lossless
  int png_compression = 3;
};

// `format` is an extension without dot: png, jpg, tif, bmp, webp. Throws Error where the format cannot hold the image
// (16 bit in JPEG, BMP or WebP; alpha in JPEG; more pixels a side than it counts).
std::vector<std::uint8_t> encode_image(const Image& image, const std::string& format, const EncodeOptions& options = {});

// Throws the same Error for pixels of that size and type (CV_8UC3 ...) before there are any.
void check_can_hold(const std::string& format, cv::Size size, int type);

// A photograph as training takes it, whatever the file holds: 8 bits, grey or BGR.
cv::Mat read_photo(const std::filesystem::path& file);

// The extensions that folder walks pick up, lower case without dot.
bool is_image_extension(const std::filesystem::path& file);
// What kind of picture a file is that those walks leave out, by its name, else its first bytes: "OpenEXR", "HEIC (this program was built
// without libheif)". Empty for files that are read, and for what is no picture.
std::string unread_picture(const std::filesystem::path& file);
// The formats that are read, and those that another build would read, with the library that it needs: "PNG, JPEG".
std::string readable_formats();
std::string missing_formats();

}  // namespace fovea
