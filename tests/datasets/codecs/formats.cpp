// Formats that are read but not written, and pictures that are not read.
#include <algorithm>
#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "datasets/image.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/images.hpp"
#include "tests/support/pictures.hpp"
#include "tests/support/skip.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

bool reads(const std::string& format) {
  return (", " + readable_formats() + ", ").find(", " + format + ", ") != std::string::npos;
}

#define NEEDS_FORMAT(name) \
  if (!reads(name)) SKIP_TEST(std::string(name) + " is not read by this build")

Image pnm(const std::string& text) { return decode_image({text.begin(), text.end()}, "x"); }
std::vector<int> values(const cv::Mat& pixels) {
  cv::Mat flat;
  pixels.reshape(1, 1).convertTo(flat, CV_32S);
  return {flat.begin<int>(), flat.end<int>()};
}

}  // namespace

TEST_CASE("PNM: bits, grey and colours, in words and bytes, with comments", "[datasets][image]") {
  using V = std::vector<int>;
  CHECK((values(pnm("P1\n# a\n3 2\n1 0 1\n011").pixels) == V{0, 255, 0, 255, 0, 0}));
  CHECK((values(pnm("P2 2 1 15 0 15").pixels) == V{0, 255}));
  CHECK((values(pnm("P3\n1 1\n255\n1 2 3").pixels) == V{3, 2, 1}));
  CHECK((values(pnm(std::string("P4\n9 1\n\x40\x80", 9)).pixels) == V{255, 0, 255, 255, 255, 255, 255, 255, 0}));
  CHECK((values(pnm(std::string("P5 2 1 255\n\x07\x09")).pixels) == V{7, 9}));
  CHECK((values(pnm(std::string("P5 1 1 1023\n\x03\xff")).pixels) == V{65535}));
  CHECK((values(pnm(std::string("P6 1 1 255\nabc")).pixels) == V{'c', 'b', 'a'}));
  CHECK((values(pnm("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\nabcd").pixels) ==
         V{'c', 'b', 'a', 'd'}));
  const Image grey = pnm("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 2\nMAXVAL 255\nENDHDR\nab");
  CHECK((values(grey.pixels) == V{'a', 'a', 'a', 'b'}));
  CHECK(grey.grey);
  for (const std::string text :
       {"P5 2 2 255\nabc", "P2 2 1 15 0 16", "P5 2 2 0\nabcd", "P5 2 2 70000\nabcd", "P6 99999 99999 255\na", "P3 1 1 255 1 2",
        "P1 2 1 1 2", "P5 -2 2 255\nabcd", "P7\nWIDTH 1\n", "P5 99999999999 1 255\na"})
    CHECK_FALSE(message_of([&] { pnm(text); }).empty());
}

TEST_CASE("PNM: files of another program", "[datasets][image]") {
  for (const int type : {CV_8UC1, CV_8UC3, CV_16UC1, CV_16UC3}) {
    Buffer file;
    cv::imencode(CV_MAT_CN(type) == 1 ? ".pgm" : ".ppm", noise(7, 5, type), file);
    CHECK(cv::norm(decode_image(file, "x").pixels, noise(7, 5, type), cv::NORM_INF) == 0);
  }
}

TEST_CASE("GIF: the first frame, transparent where it says so, interlaced too", "[datasets][image]") {
  NEEDS_FORMAT("GIF");
  const Image plain = decode_image(gif({.frames = 1}), "x");
  REQUIRE(plain.pixels.type() == CV_8UC3);
  CHECK(plain.pixels.at<cv::Vec3b>(0, 0) == cv::Vec3b(0, 0, 255));
  CHECK(plain.pixels.at<cv::Vec3b>(0, 1) == cv::Vec3b(0, 255, 0));
  CHECK(plain.pixels.at<cv::Vec3b>(1, 0) == cv::Vec3b(255, 0, 0));
  CHECK(plain.notes.empty());
  const Image clear = decode_image(gif({.transparent = 1, .frames = 3}), "x");
  REQUIRE(clear.pixels.type() == CV_8UC4);
  CHECK(clear.pixels.at<cv::Vec4b>(0, 0) == cv::Vec4b(0, 0, 255, 255));
  CHECK(clear.pixels.at<cv::Vec4b>(0, 1)[3] == 0);
  REQUIRE(clear.notes.size() == 1);
  CHECK(clear.notes[0] == "the first of 3 frames is read");
  CHECK(cv::norm(decode_image(gif({.interlaced = true}), "x").pixels, plain.pixels, cv::NORM_INF) == 0);
  CHECK(message_of([] { decode_image(gif({.colours = 2}), "x"); }).find("a pixel has colour") != std::string::npos);
  const Buffer whole = gif({});
  for (std::size_t n = 6; n < whole.size(); ++n)
    CHECK_FALSE(
        message_of([&] { decode_image(Buffer(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)), "x"); }).empty());
}

TEST_CASE("HEIC and AVIF are read", "[datasets][image]") {
  NEEDS_FORMAT("AVIF");
  for (const Buffer& file : {avif(), heic()}) {
    const cv::Mat pixels = decode_image(file, "x").pixels;
    REQUIRE(pixels.size() == cv::Size(16, 8));
    REQUIRE(pixels.type() == CV_8UC3);
    CHECK(cv::norm(pixels.at<cv::Vec3b>(4, 3), cv::Vec3b(220, 60, 20), cv::NORM_INF) < 40);
    CHECK(cv::norm(pixels.at<cv::Vec3b>(4, 12), cv::Vec3b(20, 40, 200), cv::NORM_INF) < 40);
    for (std::size_t n = 12; n < file.size(); n += 7)
      CHECK_FALSE(
          message_of([&] { decode_image(Buffer(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(n)), "x"); }).empty());
  }
}

TEST_CASE("JPEG 2000 is read", "[datasets][image]") {
  NEEDS_FORMAT("JPEG 2000");
  for (const int type : {CV_8UC1, CV_8UC3, CV_16UC1, CV_16UC3}) {
    cv::Mat pixels = noise(40, 30, type);
    cv::GaussianBlur(pixels, pixels, {0, 0}, 2);
    Buffer file;
    try {
      cv::imencode(".jp2", pixels, file);
    } catch (const cv::Exception&) { SKIP_TEST("OpenCV writes no JPEG 2000 here"); }
    const Image image = decode_image(file, "x");
    REQUIRE(image.pixels.type() == type);
    CHECK(cv::norm(image.pixels, cv::imdecode(file, cv::IMREAD_UNCHANGED), cv::NORM_INF) <= 1);
    for (std::size_t n = 12; n < file.size(); n += 101)
      CHECK_FALSE(
          message_of([&] { decode_image(Buffer(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(n)), "x"); }).empty());
  }
}

TEST_CASE("WebP: a header alone takes no memory", "[datasets][image]") {
  for (const int channels : {3, 4}) {  // lossy, lossless
    Buffer file = encode_image({noise(16, 12, CV_8UC(channels)), false, {}}, "webp", {.webp_quality = channels == 3 ? 90 : 101});
    const auto at = std::search(file.begin(), file.end(), "VP8", "VP8" + 3) + (channels == 3 ? 14 : 9);
    if (channels == 3) std::copy_n(Buffer{0xff, 0x3f, 0xff, 0x3f}.begin(), 4, at);
    else std::fill_n(at, 3, std::uint8_t{0xff}), at[3] |= 0x0f;  // twice 14 bits
    CHECK(fails_with([&] { decode_image(file, "x"); }, "pixels cannot come from a file this small"));
  }
}

TEST_CASE("pictures of formats that are not read are told from other files", "[datasets][image]") {
  Folder folder;
  const auto write = [&](const char* name, const std::string& bytes) {
    std::ofstream(folder / name, std::ios::binary) << bytes;
    return unread_picture(folder / name);
  };
  CHECK(write("a.png", "anything").empty());
  CHECK(write("a.exr", "") == "OpenEXR");
  CHECK(write("a.TGA", "") == "TGA");
  CHECK(write("a.cr2", "") == "camera raw");
  CHECK(write("a.jxl", "") == "JPEG XL");
  CHECK(write("a.ico", "") == "Windows icon");
  CHECK(write("picture", "8BPS....") == "Photoshop");
  CHECK(write("photo", std::string("\x89PNG\r\n\x1a\n")) == "PNG under a name that says something else");
  CHECK(write("notes.txt", "BM is no picture").empty());
  CHECK(write("sheet.csv", "P5 x").empty());
  CHECK(write("empty", "").empty());
  CHECK(unread_picture(folder / "absent").empty());
  for (const char* format : {"GIF", "HEIC", "AVIF", "JPEG 2000"})
    CHECK((reads(format) != (missing_formats().find(format) != std::string::npos)));
  CHECK(message_of([] { decode_image({'8', 'B', 'P', 'S'}, "x"); }).find("x: not supported: Photoshop; expected PNG, JPEG") == 0);
}

TEST_CASE("what a format cannot hold is known before there are pixels", "[datasets][image]") {
  CHECK_NOTHROW(check_can_hold("png", {100'000, 5}, CV_16UC4));
  CHECK_NOTHROW(check_can_hold("bmp", {5, 5}, CV_8UC4));
  CHECK_NOTHROW(check_can_hold("webp", {16383, 16383}, CV_8UC4));
  CHECK_NOTHROW(check_can_hold("jpg", {65500, 1}, CV_8UC3));
  CHECK(fails_with([] { check_can_hold("webp", {16384, 1}, CV_8UC3); }, "WebP cannot hold 16384x1 pixels: at most 16383 a side"));
  CHECK(fails_with([] { check_can_hold("jpg", {1, 65501}, CV_8UC3); }, "JPEG cannot hold 1x65501 pixels: at most 65500 a side"));
  CHECK(fails_with([] { check_can_hold("jpg", {1, 1}, CV_8UC4); }, "JPEG cannot hold alpha"));
  CHECK(fails_with([] { check_can_hold("jpeg", {1, 1}, CV_16UC1); }, "JPEG cannot hold 16 bit pixels"));
  CHECK(fails_with([] { check_can_hold("gif", {1, 1}, CV_8UC1); }, "\"gif\" cannot be written"));
}
