#include "datasets/picture_size.hpp"

#include "datasets/image.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/images.hpp"

using namespace fovea;
using test::Buffer;

namespace {

Buffer encoded(const char* format, int type = CV_8UC3) { return encode_image({test::noise(37, 23, type), false, {}}, format); }

// A JPEG with an EXIF block behind its first marker.
Buffer turned_jpeg(int orientation) {
  Buffer jpeg = encoded("jpg"), segment{0xff, 0xe1}, exif = test::exif_block(orientation, true);
  test::put_big(segment, static_cast<std::uint32_t>(exif.size() + 8), 2);
  test::put(segment, std::string("Exif\0\0", 6));
  test::insert(segment, segment.size(), exif);
  test::insert(jpeg, 2, segment);
  return jpeg;
}

Buffer turned_png(int orientation) {
  Buffer png = encoded("png");
  test::insert(png, 33, test::png_chunk("eXIf", test::exif_block(orientation, false)));
  return png;
}

void check_same(const Buffer& bytes) { CHECK(picture_size(bytes, "p") == decode_image(bytes, "p").pixels.size()); }

}  // namespace

TEST_CASE("picture size: that of the decoded picture, whatever the format and however it is turned") {
  for (const char* format : {"png", "jpg", "bmp", "webp", "tif"}) {
    INFO(format);
    CHECK(picture_size(encoded(format), "p") == cv::Size(37, 23));
  }
  for (int orientation = 1; orientation <= 8; ++orientation) {
    INFO(orientation);
    const cv::Size size = orientation >= 5 ? cv::Size(23, 37) : cv::Size(37, 23);
    for (const Buffer& bytes : {turned_jpeg(orientation), turned_png(orientation)}) {
      CHECK(picture_size(bytes, "p") == size);
      check_same(bytes);
    }
  }
  const std::string pnm = "P5 3 2 255\nabcdef";
  CHECK(picture_size(Buffer(pnm.begin(), pnm.end()), "p") == cv::Size(3, 2));
  check_same(encoded("webp", CV_8UC4));
}

TEST_CASE("picture size: files that are no pictures, or end too early, are refused as by the decoder") {
  CHECK(test::fails_with([] { picture_size({}, "p"); }, "p: the file is empty"));
  CHECK(test::fails_with([] { picture_size({'t', 'e', 'x', 't'}, "p"); }, "p: not an image"));
  for (const char* format : {"png", "jpg", "bmp", "webp"}) {
    const Buffer whole = encoded(format);
    for (std::size_t n = 0; n < 64; ++n) {
      const Buffer cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
      try {
        const cv::Size size = picture_size(cut, "p");
        CHECK((n >= 26 && size == cv::Size(37, 23)));  // the header is whole
      } catch (const Error&) {}
    }
    for (std::size_t n = 0; n < 64; ++n)  // damage: another size or an Error, nothing else
      for (const int value : {0, 0x7f, 0xff}) {
        Buffer damaged = whole;
        damaged[n] = static_cast<std::uint8_t>(value);
        try {
          const cv::Size size = picture_size(damaged, "p");
          CHECK((size.width > 0 && size.height > 0));
        } catch (const Error&) {}
      }
  }
  CHECK(test::fails_with([] { picture_size("/nonexistent/p.png"); }, "/nonexistent/p.png: cannot read"));
}
