// Damage in the middle of a JPEG, and kinds that libjpeg does not decode.
#include <opencv2/imgproc.hpp>
#include <random>

#include "datasets/image.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/images.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

std::string reason(const Buffer& file) {
  return message_of([&] { decode_image(file, "x.jpg"); });
}

// Where the marker 0xff `type` stands.
std::size_t find_marker(const Buffer& file, std::uint8_t type) {
  for (std::size_t i = 2; i + 4 < file.size(); i += 2u + (std::size_t{file[i + 2]} << 8 | file[i + 3]))
    if (file[i + 1] == type) return i;
  FAIL("no marker");
  return 0;
}

}  // namespace

TEST_CASE("JPEG: a code that does not exist is seen wherever it stands", "[datasets][image]") {
  for (const int quality : {50, 80, 95}) {
    const Buffer file = encode_image({noise(200, 160, CV_8UC3), false, {}}, "jpg", {.jpeg_quality = quality});
    const std::size_t begin = find_marker(file, 0xda) + 16;
    for (int part = 1; part < 20; ++part) {
      Buffer changed = file;
      const std::size_t at = begin + (file.size() - begin) * static_cast<std::size_t>(part) / 20;
      // No table has a code of sixteen ones; 0xff is followed by a zero.
      for (std::size_t i = at; i < at + 12 && i < changed.size() - 2; ++i) changed[i] = (i - at) % 2 ? 0 : 0xff;
      INFO("quality " << quality << ", part " << part);
      CHECK(reason(changed).find("damaged or truncated JPEG: Corrupt JPEG data") != std::string::npos);
    }
  }
}

TEST_CASE("JPEG: whole files raise no alarm", "[datasets][image]") {
  for (int i = 0; i < 60; ++i) {
    cv::Mat pixels = noise(17 + 13 * i, 23 + 7 * i, i % 4 ? CV_8UC3 : CV_8UC1, static_cast<std::uint64_t>(i));
    if (i % 3) cv::GaussianBlur(pixels, pixels, {0, 0}, i % 3 * 2.0);
    CHECK_NOTHROW(decode_image(encode_image({pixels, false, {}}, "jpg", {.jpeg_quality = 5 + i}), "x"));
  }
}

TEST_CASE("JPEG: bad codes in a photograph are seen", "[datasets][image]") {
  FOVEA_NEEDS_SHARED(file, "faults/01614_flip_310.jpg");
  CHECK(fails_with([&] { read_image(file); }, "damaged or truncated JPEG: Corrupt JPEG data"));
}

TEST_CASE("JPEG: kinds that are not decoded are named, not called damaged", "[datasets][image]") {
  const Buffer file = encode_image({noise(16, 16, CV_8UC3), false, {}}, "jpg");
  const std::size_t frame = find_marker(file, 0xc0);
  const auto changed = [&](std::size_t at, std::uint8_t value) {
    Buffer copy = file;
    copy[frame + at] = value;
    return reason(copy);
  };
  CHECK(changed(4, 12) == "x.jpg: not supported: a JPEG of 12 bits a sample");
  CHECK(changed(1, 0xc3) == "x.jpg: not supported: a lossless JPEG (SOF3)");
  CHECK(changed(1, 0xc5) == "x.jpg: not supported: a hierarchical JPEG (SOF5)");
}
