// What other programs write: palettes, few bits, interlacing, ink colours, tags.
#include <cstdio>

#include <jpeglib.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "datasets/image.hpp"
#include "modules/core/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/images.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

// Entry of a tag with one 16-bit value in a little-endian TIFF.
void set_tag(Buffer& tiff, int tag, int value) {
  Buffer entry;
  put_little(entry, static_cast<std::uint32_t>(tag), 2);
  put_little(entry, 3, 2);
  put_little(entry, 1, 4);
  const auto at = std::search(tiff.begin(), tiff.end(), entry.begin(), entry.end());
  REQUIRE(at != tiff.end());
  at[8] = static_cast<std::uint8_t>(value);
}

Buffer cmyk_jpeg(cv::Vec4b ink, bool adobe) {
  jpeg_compress_struct c{};
  jpeg_error_mgr errors{};
  c.err = jpeg_std_error(&errors);
  jpeg_create_compress(&c);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&c, &bytes, &size);
  c.image_width = c.image_height = 16;
  c.input_components = 4;
  c.in_color_space = JCS_CMYK;
  jpeg_set_defaults(&c);
  jpeg_set_quality(&c, 100, TRUE);
  c.write_Adobe_marker = adobe;
  jpeg_start_compress(&c, TRUE);
  cv::Mat row(1, 16, CV_8UC4, cv::Scalar(ink[0], ink[1], ink[2], ink[3]));
  while (c.next_scanline < 16) {
    JSAMPROW line = row.data;
    jpeg_write_scanlines(&c, &line, 1);
  }
  jpeg_finish_compress(&c);
  jpeg_destroy_compress(&c);
  Buffer out(bytes, bytes + size);
  std::free(bytes);
  return out;
}

}  // namespace

TEST_CASE("PNG: palettes, transparency, few bits, interlacing", "[datasets][image]") {
  const Buffer palette = png_chunk("PLTE", {1, 2, 3, 10, 20, 30, 100, 150, 200, 255, 255, 255});
  const Image colours = decode_image(stored_png(4, 1, 2, 3, false, palette, {0, 0b00011011}), "x");
  REQUIRE(colours.pixels.type() == CV_8UC3);
  CHECK(colours.pixels.at<cv::Vec3b>(0, 1) == cv::Vec3b(30, 20, 10));
  CHECK_FALSE(colours.grey);

  Buffer transparent = palette;
  insert(transparent, transparent.size(), png_chunk("tRNS", {0, 128}));
  const Image see = decode_image(stored_png(4, 1, 2, 3, false, transparent, {0, 0b00011011}), "x");
  REQUIRE(see.pixels.type() == CV_8UC4);
  CHECK(see.pixels.at<cv::Vec4b>(0, 1) == cv::Vec4b(30, 20, 10, 128));
  CHECK(see.pixels.at<cv::Vec4b>(0, 2)[3] == 255);

  const Image bilevel = decode_image(stored_png(8, 1, 1, 0, false, {}, {0, 0b10110000}), "x");
  REQUIRE(bilevel.pixels.type() == CV_8UC1);
  CHECK(bilevel.pixels.at<std::uint8_t>(0, 0) == 255);
  CHECK(bilevel.pixels.at<std::uint8_t>(0, 1) == 0);
  CHECK(bilevel.grey);

  const Image key = decode_image(stored_png(2, 1, 8, 0, false, png_chunk("tRNS", {0, 7}), {0, 7, 8}), "x");
  REQUIRE(key.pixels.type() == CV_8UC4);
  CHECK(key.grey);
  CHECK(key.pixels.at<cv::Vec4b>(0, 0) == cv::Vec4b(7, 7, 7, 0));
  CHECK(key.pixels.at<cv::Vec4b>(0, 1) == cv::Vec4b(8, 8, 8, 255));

  // 2x2: passes 1, 6 and 7 hold the first pixel, the second, and the second row.
  const Image interlaced = decode_image(stored_png(2, 2, 8, 0, true, {}, {0, 10, 0, 20, 0, 30, 40}), "x");
  const cv::Mat square = (cv::Mat_<std::uint8_t>(2, 2) << 10, 20, 30, 40);
  CHECK(cv::norm(interlaced.pixels, square, cv::NORM_INF) == 0);

  const Image deep = decode_image(stored_png(1, 1, 16, 0, false, {}, {0, 0x12, 0x34}), "x");
  CHECK(deep.pixels.at<std::uint16_t>(0, 0) == 0x1234);
}

TEST_CASE("JPEG: inks become colours, progressive files are whole", "[datasets][image]") {
  for (const bool adobe : {false, true}) {
    const cv::Vec4b ink = adobe ? cv::Vec4b(255, 0, 55, 255) : cv::Vec4b(0, 255, 200, 0);  // no cyan, full magenta, 200 of yellow
    const Image image = decode_image(cmyk_jpeg(ink, adobe), "x");
    REQUIRE(image.pixels.type() == CV_8UC3);
    CHECK(cv::norm(image.pixels, cv::Mat(16, 16, CV_8UC3, cv::Scalar(55, 0, 255)), cv::NORM_INF) <= 2);
  }
  Buffer progressive;
  cv::imencode(".jpg", noise(40, 30, CV_8UC3), progressive, {cv::IMWRITE_JPEG_PROGRESSIVE, 1});
  CHECK(cv::norm(decode_image(progressive, "x").pixels, cv::imdecode(progressive, cv::IMREAD_COLOR), cv::NORM_INF) <= 1);
  for (std::size_t n = 0; n < progressive.size(); n += 7)
    CHECK_THROWS_AS(decode_image(Buffer(progressive.begin(), progressive.begin() + static_cast<std::ptrdiff_t>(n)), "x"), Error);
  insert(progressive, progressive.size(), {1, 2, 3});  // bytes behind the end are harmless
  CHECK_NOTHROW(decode_image(progressive, "x"));
}

TEST_CASE("TIFF: orientation once, inverted grey, floats refused", "[datasets][image]") {
  const cv::Mat pixels = noise(5, 3, CV_16UC3);
  const std::array<int, 4> straight{1, 2, 3, 4};
  for (const int orientation : {1, 2, 3, 4, 5, 6, 7, 8}) {
    Buffer file = encode_image({pixels, false, {}}, "tif");
    set_tag(file, 0x0112, orientation);
    cv::Mat expected = pixels;
    if (orientation == 2) cv::flip(pixels, expected, 1);
    if (orientation == 3) cv::flip(pixels, expected, -1);
    if (orientation == 4) cv::flip(pixels, expected, 0);
    if (orientation == 5) cv::transpose(pixels, expected);
    if (orientation == 6) cv::rotate(pixels, expected, cv::ROTATE_90_CLOCKWISE);
    if (orientation == 7) {
      cv::transpose(pixels, expected);
      cv::flip(expected, expected, -1);
    }
    if (orientation == 8) cv::rotate(pixels, expected, cv::ROTATE_90_COUNTERCLOCKWISE);
    const Image image = decode_image(file, "x");
    REQUIRE(image.pixels.size() == expected.size());
    CHECK((image.pixels.size() == pixels.size()) == (std::count(straight.begin(), straight.end(), orientation) == 1));
    CHECK(cv::norm(image.pixels, expected, cv::NORM_INF) == 0);
  }
  Buffer inverted = encode_image({noise(5, 3, CV_8UC1), true, {}}, "tif");
  set_tag(inverted, 0x0106, 0);
  CHECK(cv::norm(decode_image(inverted, "x").pixels, 255 - noise(5, 3, CV_8UC1), cv::NORM_INF) == 0);

  Buffer floats;
  cv::imencode(".tiff", cv::Mat(4, 4, CV_32FC1, cv::Scalar(0.5)), floats);
  CHECK_THROWS_AS(decode_image(floats, "x"), Error);
}

TEST_CASE("WebP: EXIF orientation is applied once", "[datasets][image]") {
  Buffer file = encode_image({noise(5, 3, CV_8UC3), false, icc_profile(200, "RGB ")}, "webp", {.webp_quality = 101});
  REQUIRE(std::memcmp(file.data() + 12, "VP8X", 4) == 0);
  file[20] |= 0x08;  // has EXIF
  const Buffer exif = exif_block(6, false);
  put(file, "EXIF");
  put_little(file, static_cast<std::uint32_t>(exif.size()), 4);
  insert(file, file.size(), exif);
  Buffer size;
  put_little(size, static_cast<std::uint32_t>(file.size() - 8), 4);
  std::copy(size.begin(), size.end(), file.begin() + 4);
  cv::Mat expected;
  cv::rotate(noise(5, 3, CV_8UC3), expected, cv::ROTATE_90_CLOCKWISE);
  const Image image = decode_image(file, "x");
  REQUIRE(image.pixels.size() == expected.size());
  CHECK(cv::norm(image.pixels, expected, cv::NORM_INF) == 0);
  CHECK((image.icc == icc_profile(200, "RGB ")));
}

TEST_CASE("BMP: an empty fourth byte is not transparency", "[datasets][image]") {
  Buffer file;
  cv::Mat pixels = noise(4, 3, CV_8UC4);
  cv::Mat opaque(pixels.size(), CV_8UC3);
  cv::cvtColor(pixels, opaque, cv::COLOR_BGRA2BGR);
  cv::insertChannel(cv::Mat::zeros(pixels.size(), CV_8UC1), pixels, 3);
  cv::imencode(".bmp", pixels, file);
  const Image image = decode_image(file, "x");
  REQUIRE(image.pixels.channels() == 3);
  CHECK(cv::norm(image.pixels, opaque, cv::NORM_INF) == 0);
}
