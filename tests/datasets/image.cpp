#include "datasets/image.hpp"

#include <cstring>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "modules/core/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/images.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

double difference(const cv::Mat& a, const cv::Mat& b) {
  REQUIRE(a.size() == b.size());
  REQUIRE(a.type() == b.type());
  return cv::norm(a, b, cv::NORM_INF);
}

Image through(const Image& image, const std::string& format, const EncodeOptions& options = {}) {
  return decode_image(encode_image(image, format, options), "x." + format);
}

cv::Mat smooth(int width, int height, int type) {
  cv::Mat m = noise(width, height, type);
  cv::GaussianBlur(m, m, {0, 0}, 4);
  return m;
}

// Grey in the colour channels, alpha of its own.
cv::Mat grey_with_alpha(int depth) {
  const cv::Mat g = noise(9, 7, CV_MAKETYPE(depth, 1), 3), a = noise(9, 7, CV_MAKETYPE(depth, 1), 4);
  cv::Mat out;
  cv::merge(std::vector<cv::Mat>{g, g, g, a}, out);
  return out;
}

// The pixels that a viewer shows for stored pixels of that orientation, by EXIF's definition of row 0 and column 0.
cv::Mat shown(const cv::Mat& stored, int orientation) {
  const bool swapped = orientation >= 5;
  cv::Mat out(swapped ? stored.cols : stored.rows, swapped ? stored.rows : stored.cols, stored.type());
  for (int y = 0; y < out.rows; ++y)
    for (int x = 0; x < out.cols; ++x) {
      const int u = swapped ? y : x, v = swapped ? x : y;  // column and row before mirroring
      const bool right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
      const bool bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
      const int sx = right ? stored.cols - 1 - u : u, sy = bottom ? stored.rows - 1 - v : v;
      std::memcpy(out.ptr(y, x), stored.ptr(sy, sx), out.elemSize());
    }
  return out;
}

Buffer with_exif(const Buffer& file, const std::string& format, const Buffer& exif) {
  Buffer out = file;
  if (format == "png") insert(out, 33, png_chunk("eXIf", exif));  // behind IHDR
  if (format == "jpg") {
    Buffer segment{0xff, 0xe1};
    put_big(segment, static_cast<std::uint32_t>(exif.size() + 8), 2);
    put(segment, std::string("Exif\0\0", 6));
    insert(segment, segment.size(), exif);
    insert(out, 2, segment);
  }
  return out;
}

}  // namespace

TEST_CASE("lossless formats keep every pixel, depth and channel", "[datasets][image]") {
  for (const std::string format : {"png", "tif"})
    for (int depth : {CV_8U, CV_16U})
      for (int channels : {1, 3, 4})
        for (int compression : {0, 3, 9}) {
          INFO(format << " depth " << depth << " channels " << channels);
          const cv::Mat pixels = noise(37, 21, CV_MAKETYPE(depth, channels));
          const Image back = through({pixels, channels == 1, {}}, format, {.png_compression = compression});
          CHECK(difference(pixels, back.pixels) == 0);
          CHECK(back.grey == (channels == 1));
        }
  for (int channels : {1, 3})
    CHECK(difference(through({noise(5, 3, CV_8UC(channels)), false, {}}, "bmp").pixels, noise(5, 3, CV_8UC(channels))) == 0);
  for (int channels : {3, 4}) {
    const cv::Mat pixels = noise(37, 21, CV_8UC(channels));
    CHECK(difference(pixels, through({pixels, false, {}}, "webp", {.webp_quality = 101}).pixels) == 0);
  }
}

TEST_CASE("grey with alpha stays so", "[datasets][image]") {
  for (const std::string format : {"png", "tif"})
    for (int depth : {CV_8U, CV_16U}) {
      const cv::Mat pixels = grey_with_alpha(depth);
      const Image back = through({pixels, true, {}}, format);
      CHECK(difference(pixels, back.pixels) == 0);
      CHECK(back.grey);
    }
}

TEST_CASE("lossy formats come back close, grey JPEG as one channel", "[datasets][image]") {
  for (const std::string format : {"jpg", "webp"})
    CHECK(difference(through({smooth(64, 48, CV_8UC3), false, {}}, format).pixels, smooth(64, 48, CV_8UC3)) < 16);
  const Image grey = through({smooth(64, 48, CV_8UC1), true, {}}, "jpg");
  CHECK(grey.grey);
  CHECK(difference(grey.pixels, smooth(64, 48, CV_8UC1)) < 8);
  CHECK(through({smooth(64, 48, CV_8UC1), true, {}}, "webp").pixels.channels() == 3);
  CHECK(encode_image({smooth(64, 48, CV_8UC3), false, {}}, "jpg", {.jpeg_quality = 30}).size() <
        encode_image({smooth(64, 48, CV_8UC3), false, {}}, "jpg", {.jpeg_quality = 99}).size());
}

TEST_CASE("other programs' files are read as they show them", "[datasets][image]") {
  for (const std::string extension : {".png", ".jpg", ".tif", ".bmp", ".webp"}) {
    INFO(extension);
    Buffer bytes;
    cv::imencode(extension, smooth(33, 20, CV_8UC3), bytes);
    CHECK(difference(decode_image(bytes, "x").pixels, cv::imdecode(bytes, cv::IMREAD_UNCHANGED)) <= 1);
  }
}

TEST_CASE("a format that cannot hold the image says so", "[datasets][image]") {
  const Image deep{noise(4, 4, CV_16UC3), false, {}}, alpha{noise(4, 4, CV_8UC4), false, {}};
  for (const std::string format : {"jpg", "bmp", "webp"}) CHECK_THROWS_AS(encode_image(deep, format), Error);
  CHECK_THROWS_AS(encode_image(alpha, "jpg"), Error);
  CHECK_THROWS_AS(encode_image({cv::Mat(4, 4, CV_32FC3), false, {}}, "png"), Error);
  CHECK_THROWS_AS(encode_image({cv::Mat(), false, {}}, "png"), Error);
  CHECK_THROWS_AS(encode_image({noise(4, 4, CV_8UC2), false, {}}, "png"), Error);
  CHECK_THROWS_AS(encode_image(alpha, "gif"), Error);
  CHECK_THROWS_AS(encode_image({noise(70000, 1, CV_8UC1), false, {}}, "jpg"), Error);
  CHECK_THROWS_AS(encode_image({noise(17000, 1, CV_8UC3), false, {}}, "webp"), Error);
}

TEST_CASE("ICC profiles survive byte for byte", "[datasets][image]") {
  for (const std::size_t size : {200, 3144, 200'000}) {  // JPEG splits the last over four segments
    const Buffer rgb = icc_profile(size, "RGB "), grey = icc_profile(size, "GRAY");
    for (const std::string format : {"png", "jpg", "tif", "webp", "bmp"}) {
      INFO(format << " " << size);
      CHECK((through({noise(8, 8, CV_8UC3), false, rgb}, format).icc == rgb));
      CHECK((through({noise(8, 8, CV_8UC1), true, rgb}, format).icc ==
             (format == "webp" ? rgb : Buffer())));  // would describe other pixels
      if (format != "webp") CHECK((through({noise(8, 8, CV_8UC1), true, grey}, format).icc == grey));
      if (format != "jpg") CHECK((through({noise(8, 8, CV_8UC4), false, rgb}, format).icc == rgb));
    }
  }
}

TEST_CASE("EXIF orientation is applied once, in every format", "[datasets][image]") {
  for (int channels : {1, 3})
    for (const std::string format : {"png", "jpg"})
      for (int orientation = 1; orientation <= 8; ++orientation)
        for (bool big_endian : {false, true}) {
          INFO(format << " orientation " << orientation);
          const Buffer plain = encode_image({noise(5, 3, CV_8UC(channels)), channels == 1, {}}, format);
          const Image turned = decode_image(with_exif(plain, format, exif_block(orientation, big_endian)), "x");
          CHECK(difference(turned.pixels, shown(decode_image(plain, "x").pixels, orientation)) == 0);
          CHECK(difference(decode_image(encode_image(turned, "png"), "x").pixels, turned.pixels) == 0);
        }
  const Buffer plain = encode_image({noise(5, 3, CV_8UC3), false, {}}, "png");
  for (const Buffer& odd :
       {exif_block(0, false), exif_block(9, true), Buffer{'I', 'I', 42, 0, 255, 255, 255, 255}, Buffer{'M', 'M'}})
    CHECK(difference(decode_image(with_exif(plain, "png", odd), "x").pixels, noise(5, 3, CV_8UC3)) == 0);
}

TEST_CASE("what is not an image is refused with the reason", "[datasets][image]") {
  const auto reason = [](const Buffer& bytes) -> std::string {
    try {
      decode_image(bytes, "photo");
    } catch (const Error& e) { return e.what(); }
    return "decoded";
  };
  CHECK(reason({}).find("photo: the file is empty") != std::string::npos);
  CHECK(reason({'h', 'e', 'l', 'l', 'o'}).find("not an image") != std::string::npos);
  CHECK(reason({0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}).find("truncated PNG: it ends too early") != std::string::npos);
  Buffer bytes = encode_image({noise(8, 8, CV_8UC3), false, {}}, "jpg");
  bytes.resize(bytes.size() / 2);
  CHECK(reason(bytes).find("truncated JPEG") != std::string::npos);
  Folder folder;
  CHECK_THROWS_AS(read_image(folder / "absent.png"), Error);
}

TEST_CASE("sizes are checked before memory is taken", "[datasets][image]") {
  const auto reason = [](std::uint32_t width, std::uint32_t height) -> std::string {
    Buffer header, file{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    put_big(header, width, 4);
    put_big(header, height, 4);
    for (std::uint8_t b : {8, 2, 0, 0, 0}) header.push_back(b);
    insert(file, file.size(), png_chunk("IHDR", header));
    insert(file, file.size(), png_chunk("IDAT", {0x78, 0x9c}));
    insert(file, file.size(), png_chunk("IEND", {}));
    try {
      decode_image(file, "x");
    } catch (const Error& e) { return e.what(); }
    return "decoded";
  };
  CHECK(reason(0x7fffffff, 0x7fffffff).find("too large") != std::string::npos);
  CHECK(reason(32769, 32768).find("too large") != std::string::npos);
  CHECK(reason(32768, 32768).find("cannot come from a file this small") != std::string::npos);
}

TEST_CASE("folder walks know images by their extension", "[datasets][image]") {
  for (const char* name : {"a.png", "a.PNG", "b/c.jpeg", "a.jpg", "a.tif", "a.TIFF", "a.bmp", "a.webp", "a.pgm", "a.apng"})
    CHECK(is_image_extension(name));
  for (const char* name : {"a", "a.", "png", ".png", "a.txt", "a.png.tmp", "a.p ng", "a.exr"})
    CHECK_FALSE(is_image_extension(name));
}
