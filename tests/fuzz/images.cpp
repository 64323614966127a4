// Every decoder of pictures: an image or an Error, for any bytes.
#include <algorithm>

#include "datasets/image.hpp"
#include "modules/core/error.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/support/pictures.hpp"

using namespace fovea;
using fovea::test::Buffer;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const Buffer file(bytes, bytes + size);
  for (const std::size_t page : {0, 1}) try {
      const Image image = page == 0 ? decode_image(file, "x") : decode_image(file, "x", page);
      // Each pixel is there, and can be written again.
      if (image.pixels.total() < 1'000'000) encode_image(image, "png");
    } catch (const Error&) {}
  return 0;
}

namespace fovea::fuzz {
namespace {

// A BMP of run lengths, with a palette of two.
Buffer runs() {
  Buffer file{'B', 'M'};
  for (const std::uint32_t v : {0u, 0u, 62u, 40u, 4u, 2u, 0x80001u, 1u, 0u, 0u, 0u, 2u, 0u, 0u, 0xffffffu})
    test::put_little(file, v, 4);
  test::insert(file, file.size(), {4, 1, 0, 0, 0, 2, 1, 0, 1, 1, 0, 3, 1, 0, 1, 0, 0, 1});
  return file;
}

Buffer animation() {
  Buffer control;
  for (const std::uint32_t v : {0u, 2u, 1u, 0u, 0u}) test::put_big(control, v, 4);
  test::insert(control, control.size(), {0, 1, 0, 10, 1, 1});
  Buffer before = test::png_chunk("acTL", {0, 0, 0, 2, 0, 0, 0, 0});
  test::insert(before, before.size(), test::png_chunk("fcTL", control));
  Buffer file = test::stored_png(2, 1, 8, 0, false, before, {0, 10, 20});
  control[3] = 1;
  test::insert(file, file.size() - 12, test::png_chunk("fcTL", control));
  Buffer data{0, 0, 0, 2};
  test::insert(data, data.size(), test::stored_zlib({0, 30, 40}));
  test::insert(file, file.size() - 12, test::png_chunk("fdAT", data));
  return file;
}

}  // namespace

std::vector<Buffer> seeds() {
  using test::noise;
  const Buffer rgb = test::icc_profile(400, "RGB ");
  std::vector<Buffer> all;
  for (const char* format : {"png", "jpg", "tif", "bmp", "webp"})
    for (const int type : {CV_8UC1, CV_8UC3, CV_8UC4, CV_16UC1, CV_16UC3, CV_16UC4}) try {
        all.push_back(encode_image({noise(13, 9, type), CV_MAT_CN(type) == 1, rgb}, format));
      } catch (const Error&) {}  // a format that does not hold this
  all.push_back(encode_image({noise(16, 12, CV_8UC4), false, {}}, "webp", {.webp_quality = 101}));
  all.push_back(test::stored_png(2, 2, 8, 3, true, test::png_chunk("PLTE", {1, 2, 3, 4, 5, 6}), {0, 1, 0, 0, 0, 1, 0}));
  for (const std::string text :
       {"P1\n2 1\n10", "P2 2 1 15 0 15", "P3 1 1 9 1 2 3", "P4\n9 1\nab", "P5 2 1 255\nab", "P6 1 1 65535\nabcdef",
        "P7\nWIDTH 1\nHEIGHT 1\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\nab"})
    all.emplace_back(text.begin(), text.end());
  for (const Buffer& file : {runs(), animation(), test::gif({.transparent = 1, .frames = 2}), test::gif({.interlaced = true}),
                             test::avif(), test::heic()})
    all.push_back(file);
  return all;
}

}  // namespace fovea::fuzz
