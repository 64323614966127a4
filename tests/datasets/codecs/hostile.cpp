// Damage of every kind to every format: an Error or an image, never a crash, and never half an image.
#include <atomic>
#include <random>
#include <thread>

#include "datasets/image.hpp"
#include "modules/core/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/images.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

struct Sample {
  std::string name;
  Buffer bytes;
};

std::vector<Sample> samples() {
  const Buffer rgb = icc_profile(400, "RGB ");
  return {{"png", encode_image({noise(16, 12, CV_8UC3), false, rgb}, "png")},
          {"png 16 bit", encode_image({noise(9, 7, CV_16UC4), false, {}}, "png")},
          {"jpg", encode_image({noise(40, 24, CV_8UC3), false, rgb}, "jpg")},
          {"jpg grey", encode_image({noise(40, 24, CV_8UC1), true, {}}, "jpg", {.jpeg_quality = 60})},
          {"tif", encode_image({noise(16, 12, CV_8UC3), false, rgb}, "tif")},
          {"tif 16 bit", encode_image({noise(9, 7, CV_16UC1), true, {}}, "tif")},
          {"bmp", encode_image({noise(16, 12, CV_8UC3), false, {}}, "bmp")},
          {"webp", encode_image({noise(16, 12, CV_8UC3), false, rgb}, "webp")},
          {"webp lossless", encode_image({noise(16, 12, CV_8UC4), false, {}}, "webp", {.webp_quality = 101})}};
}

// True if it decoded.
bool survives(const Buffer& bytes) {
  try {
    return !decode_image(bytes, "x").pixels.empty();
  } catch (const Error&) { return false; }
}

}  // namespace

TEST_CASE("a truncated image is refused wherever it ends", "[datasets][image]") {
  for (const auto& [name, bytes] : samples()) {
    REQUIRE(survives(bytes));
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      INFO(name << " cut to " << n << " of " << bytes.size());
      const bool decoded = survives(Buffer(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n)));
      if (decoded) FAIL_CHECK("it was decoded");
    }
  }
}

TEST_CASE("changed bytes bring no decoder down", "[datasets][image]") {
  std::mt19937 random(7);
  for (const auto& [name, bytes] : samples()) {
    INFO(name);
    for (int i = 0; i < 1500; ++i) {
      Buffer changed = bytes;
      // Headers matter more than pixels: half of the changes fall into the first 64 bytes.
      for (int k = 0; k <= i % 5; ++k)
        changed[random() % (k % 2 ? changed.size() : std::min<std::size_t>(changed.size(), 64))] =
            static_cast<std::uint8_t>(random());
      survives(changed);
    }
    for (int i = 0; i < 300; ++i) {  // pieces lost and repeated
      Buffer changed = bytes;
      const std::size_t from = random() % changed.size(), n = random() % (changed.size() - from) + 1;
      if (i % 2)
        changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(from),
                      changed.begin() + static_cast<std::ptrdiff_t>(from + n));
      else
        insert(changed, random() % changed.size(),
               Buffer(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.begin() + static_cast<std::ptrdiff_t>(from + n)));
      survives(changed);
    }
  }
}

TEST_CASE("noise behind every format's first bytes is refused", "[datasets][image]") {
  std::mt19937 random(8);
  for (const auto& [name, bytes] : samples())
    for (int i = 0; i < 200; ++i) {
      Buffer changed(bytes.begin(), bytes.begin() + 12);
      changed.resize(12 + random() % 500);
      for (std::size_t k = 12; k < changed.size(); ++k) changed[k] = static_cast<std::uint8_t>(random());
      INFO(name);
      CHECK_FALSE(survives(changed));
    }
}

TEST_CASE("images are decoded and encoded on many threads at once", "[datasets][image]") {
  const auto all = samples();
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i)
        for (const auto& [name, bytes] : all) {
          const Image image = decode_image(bytes, name);
          const std::string format = name.substr(0, name.find(' '));
          if (encode_image(image, format).empty() || survives(Buffer(bytes.begin(), bytes.end() - 9))) ++failures;
        }
    });
  for (auto& t : threads) t.join();
  CHECK(failures == 0);
}
