// BMP of every header and packing that programs write, each made here byte by byte.
#include <cmath>
#include <opencv2/imgcodecs.hpp>

#include "datasets/image.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/images.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

struct Bmp {
  int header = 40, width = 1, height = 1, bits = 24, compression = 0, colours = 0;
  std::vector<std::uint32_t> masks = {};  // red, green, blue, alpha
  Buffer palette = {}, pixels = {};

  Buffer file() const {
    Buffer h;
    const bool old = header == 12;
    put_little(h, static_cast<std::uint32_t>(header), 4);
    put_little(h, static_cast<std::uint32_t>(width), old ? 2 : 4);
    put_little(h, static_cast<std::uint32_t>(height), old ? 2 : 4);
    put_little(h, 1, 2);
    put_little(h, static_cast<std::uint32_t>(bits), 2);
    if (!old) {
      put_little(h, static_cast<std::uint32_t>(compression), 4);
      for (int v : {0, 0, 0, colours, 0}) put_little(h, static_cast<std::uint32_t>(v), 4);
    }
    if (header < 40 && !old) h.resize(static_cast<std::size_t>(header));
    for (const std::uint32_t mask : masks) put_little(h, mask, 4);
    if (h.size() < static_cast<std::size_t>(header)) h.resize(static_cast<std::size_t>(header));
    Buffer all{'B', 'M'};
    put_little(all, 0, 4);
    put_little(all, 0, 4);
    put_little(all, static_cast<std::uint32_t>(14 + h.size() + palette.size()), 4);
    for (const Buffer* part : std::initializer_list<const Buffer*>{&h, &palette, &pixels}) insert(all, all.size(), *part);
    return all;
  }
  Image read() const { return decode_image(file(), "x.bmp"); }
  std::string reason() const {
    return message_of([&] { read(); });
  }
};

bool same(const cv::Mat& a, const cv::Mat& b) {
  return a.size() == b.size() && a.type() == b.type() && cv::norm(a, b, cv::NORM_INF) == 0;
}

const Buffer kRedGreen4{0, 0, 255, 0, 0, 255, 0, 0};  // blue, green, red, nothing

}  // namespace

TEST_CASE("BMP: palettes of OS/2 have three bytes a colour, all others four", "[datasets][image]") {
  for (const int header : {12, 16, 40, 52, 56, 64, 108, 124}) {
    INFO("header of " << header);
    const Buffer palette = header == 12 ? Buffer{0, 0, 255, 0, 255, 0} : kRedGreen4;
    const Image image =
        Bmp{.header = header, .width = 2, .bits = 1, .colours = 2, .palette = palette, .pixels = {0b01000000, 0, 0, 0}}.read();
    REQUIRE(image.pixels.type() == CV_8UC3);
    CHECK(image.pixels.at<cv::Vec3b>(0, 0) == cv::Vec3b(0, 0, 255));
    CHECK(image.pixels.at<cv::Vec3b>(0, 1) == cv::Vec3b(0, 255, 0));
  }
}

TEST_CASE("BMP: palettes of 1, 2, 4 and 8 bits, rows of four bytes, first row last or first", "[datasets][image]") {
  Buffer palette;
  for (std::uint8_t i = 0; i < 4; ++i) insert(palette, palette.size(), {i, i, i, 0});
  for (const int bits : {1, 2, 4, 8})
    for (const bool top_down : {false, true}) {
      INFO(bits << " bits");
      const auto first = static_cast<std::uint8_t>(1 << (8 - bits));  // index 1 in the first pixel, 0 in the others
      const Image image = Bmp{
          .width = 1,
          .height = top_down ? -2 : 2,
          .bits = bits,
          .colours = bits == 1 ? 2 : 4,
          .palette = palette,
          .pixels = {first, 0, 0, 0, 0, 0, 0,
                     0}}.read();
      CHECK(image.grey);
      CHECK(image.pixels.at<std::uint8_t>(0, 0) == (top_down ? 1 : 0));
      CHECK(image.pixels.at<std::uint8_t>(1, 0) == (top_down ? 0 : 1));
    }
}

TEST_CASE("BMP: channels of any width are scaled, in headers of every version", "[datasets][image]") {
  for (const int header : {40, 52, 56, 108, 124})
    for (std::uint32_t v = 0; v < 64; ++v) {
      Buffer pixel;
      put_little(pixel, (v & 31) << 11 | v << 5 | (v & 31), 4);
      const Image image =
          Bmp{.header = header, .bits = 16, .compression = 3, .masks = {0xf800, 0x7e0, 0x1f}, .pixels = pixel}.read();
      const auto scaled = [](std::uint32_t value, int top) {
        return static_cast<std::uint8_t>(std::lround(value * 255.0 / top));
      };
      REQUIRE(image.pixels.type() == CV_8UC3);
      CHECK(image.pixels.at<cv::Vec3b>(0, 0) == cv::Vec3b(scaled(v & 31, 31), scaled(v, 63), scaled(v & 31, 31)));
    }
  // Without masks 16 bits are five a channel.
  CHECK(Bmp{.bits = 16, .pixels = {0xff, 0x7f, 0, 0}}.read().pixels.at<cv::Vec3b>(0, 0) == cv::Vec3b(255, 255, 255));
  CHECK(Bmp{.bits = 16, .pixels = {0x00, 0x02, 0, 0}}.read().pixels.at<cv::Vec3b>(0, 0) == cv::Vec3b(0, 132, 0));  // 16 of 31
}

TEST_CASE("BMP: masks of 32 bits lie where the header says", "[datasets][image]") {
  Buffer pixel;
  put_little(pixel, 0x11223344, 4);
  const auto read = [&](std::vector<std::uint32_t> masks, int header = 108) {
    return Bmp{.header = header, .bits = 32, .compression = 3, .masks = std::move(masks), .pixels = pixel}.read().pixels;
  };
  CHECK(read({0xff000000, 0xff0000, 0xff00}, 40).at<cv::Vec3b>(0, 0) == cv::Vec3b(0x33, 0x22, 0x11));
  CHECK(read({0xff, 0xff00, 0xff0000}, 40).at<cv::Vec3b>(0, 0) == cv::Vec3b(0x22, 0x33, 0x44));
  CHECK(read({0xff00, 0xff0000, 0xff000000, 0xff}).at<cv::Vec4b>(0, 0) == cv::Vec4b(0x11, 0x22, 0x33, 0x44));
  // Eleven bits: 0x11223344 >> 21 is 137 of 2047.
  CHECK(read({0xffe00000, 0x1ffc00, 0x3ff}).at<cv::Vec3b>(0, 0)[2] == 17);
  CHECK(Bmp{.bits = 32, .compression = 6, .masks = {0xff, 0xff00, 0xff0000, 0xff000000}, .pixels = pixel}
            .read()
            .pixels.at<cv::Vec4b>(0, 0) == cv::Vec4b(0x22, 0x33, 0x44, 0x11));
  // The fourth byte means nothing where no mask says that it does.
  CHECK(Bmp{.bits = 32, .pixels = pixel}.read().pixels.type() == CV_8UC3);
  CHECK(Bmp{.header = 108, .bits = 32, .compression = 3, .masks = {0xf0f, 0xf0, 0xf000}, .pixels = pixel}.reason().find("mask") !=
        std::string::npos);
}

TEST_CASE("BMP: run lengths of 4, 8 and 24 bits, with literals and skips", "[datasets][image]") {
  Buffer palette;
  for (std::uint8_t i = 0; i < 16; ++i) insert(palette, palette.size(), {static_cast<std::uint8_t>(10 * i), 0, 0, 0});
  const auto blue = [](const Bmp& bmp) {
    cv::Mat out;
    cv::extractChannel(bmp.read().pixels, out, 0);
    return out;
  };
  Bmp eight{.width = 4, .height = 3, .bits = 8, .compression = 1, .colours = 16, .palette = palette};
  //                lowest row: 1 1 2 3       end  middle: skip one right, 4       top: end of picture
  eight.pixels = {2, 1, 1, 2, 1, 3, 0, 0, 0, 2, 1, 0, 1, 4, 0, 0, 0, 1};
  CHECK(same(blue(eight), (cv::Mat_<std::uint8_t>(3, 4) << 0, 0, 0, 0, 0, 40, 0, 0, 10, 10, 20, 30)));
  eight.pixels = {0, 3, 5, 6, 7, 0, 1, 8, 0, 0, 0, 1};  // three literal ones and a byte to even them
  CHECK(same(blue(eight).row(2), (cv::Mat_<std::uint8_t>(1, 4) << 50, 60, 70, 80)));

  Bmp four{.width = 5, .height = 1, .bits = 4, .compression = 2, .colours = 16, .palette = palette};
  four.pixels = {3, 0x12, 0, 3, 0x34, 0x50, 0, 1};  // 1 2 1, then 3 4 and one more than fits: an odd width's padding
  CHECK(same(blue(four), (cv::Mat_<std::uint8_t>(1, 5) << 10, 20, 10, 30, 40)));

  const Bmp colours{
      .header = 64, .width = 3, .height = 1, .bits = 24, .compression = 4, .pixels = {2, 1, 2, 3, 1, 4, 5, 6, 0, 1}};
  CHECK(same(colours.read().pixels, (cv::Mat_<cv::Vec3b>(1, 3) << cv::Vec3b(1, 2, 3), cv::Vec3b(1, 2, 3), cv::Vec3b(4, 5, 6))));

  eight.pixels = {9, 1, 0, 1};
  CHECK(eight.reason().find("damaged BMP: a run leaves the picture") != std::string::npos);
  eight.pixels = {4, 1, 0, 0, 4, 1};
  CHECK(eight.reason().find("truncated BMP") != std::string::npos);
  eight.pixels = {4, 99, 0, 1};
  CHECK(eight.reason().find("a pixel has colour 99 of a palette of 16") != std::string::npos);
}

TEST_CASE("BMP: JPEG and PNG inside, linear light, kinds that are not read", "[datasets][image]") {
  for (const std::string format : {"jpg", "png"}) {
    const Buffer inside = encode_image({noise(9, 7, CV_8UC3), false, {}}, format);
    const Bmp bmp{.header = 124, .width = 9, .height = 7, .bits = 0, .compression = format == "jpg" ? 4 : 5, .pixels = inside};
    CHECK(same(bmp.read().pixels, decode_image(inside, "x").pixels));
  }
  Buffer linear;
  for (const std::uint32_t v : {8192u, 4096u, 0x9000u, 8192u}) put_little(linear, v, 2);  // blue full, green half, red below 0
  const cv::Mat deep = Bmp{.bits = 64, .pixels = linear}.read().pixels;
  REQUIRE(deep.type() == CV_16UC4);
  CHECK(deep.at<cv::Vec4w>(0, 0)[0] == 65535);
  CHECK(std::abs(deep.at<cv::Vec4w>(0, 0)[1] - 48192) < 30);  // sRGB's 0.7354
  CHECK(deep.at<cv::Vec4w>(0, 0)[2] == 0);
  CHECK(Bmp{.header = 64, .bits = 1, .compression = 3}.reason().find("not supported: a BMP of OS/2's Huffman") !=
        std::string::npos);
  CHECK(Bmp{.bits = 12, .pixels = Buffer(8)}.reason().find("not supported: a BMP of 12 bits") != std::string::npos);
  CHECK(Bmp{.compression = 13, .pixels = Buffer(8)}.reason().find("not supported: a BMP of compression 13") != std::string::npos);
  CHECK(Bmp{.header = 13}.reason().find("damaged BMP: a header of 13 bytes") != std::string::npos);
  CHECK(Bmp{.width = 10000, .height = 10000, .pixels = Buffer(8)}.reason().find("truncated BMP") != std::string::npos);
}

TEST_CASE("BMP: what is written is read by others, alpha and profile with it", "[datasets][image]") {
  for (const int channels : {1, 3, 4})
    for (const int width : {1, 2, 3, 4, 9}) {
      const cv::Mat pixels = noise(width, 3, CV_8UC(channels));
      const Buffer file = encode_image({pixels, channels == 1, {}}, "bmp");
      CHECK(same(decode_image(file, "x").pixels, pixels));
      cv::Mat other = cv::imdecode(file, cv::IMREAD_UNCHANGED);
      CHECK(same(other, pixels));
    }
  const Buffer profile = icc_profile(500, "RGB ");
  for (const int channels : {3, 4})
    CHECK((decode_image(encode_image({noise(5, 3, CV_8UC(channels)), false, profile}, "bmp"), "x").icc == profile));
}

TEST_CASE("BMP: files of other programs that were read wrongly", "[datasets][image]") {
  FOVEA_NEEDS_SHARED(faults, "faults");
  const auto colours_of = [&](const char* name) {
    const cv::Mat pixels = read_image(faults / name).pixels;
    std::vector<cv::Mat> planes;
    cv::split(pixels, planes);
    return pixels.channels() == 3 ? cv::norm(planes[0], planes[2], cv::NORM_INF) : 0.0;
  };
  CHECK(colours_of("pal8os2.bmp") > 100);
  CHECK(colours_of("rgb32bf.bmp") > 100);
  CHECK(read_image(faults / "V3_R5_G6_B5.bmp").pixels.channels() == 3);
}
