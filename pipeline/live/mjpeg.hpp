// Motion JPEG: pictures one after the other, each a JPEG of its own. There is no container, so where one ends is found by its
// markers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <opencv2/core.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fovea {

// Cuts a stream of bytes into JPEGs. What lies between them is passed over: boundaries and headers of multipart streams,
// rubbish, pictures that are cut short or longer than the limit. Segments of the header (EXIF, with a thumbnail that is a JPEG,
// too) are stepped over by their length. Holds one picture and what was fed last.
class JpegSplitter {
 public:
  explicit JpegSplitter(std::size_t longest = std::size_t{16} << 20) : longest_(longest) {}

  void feed(std::span<const std::uint8_t> bytes);
  // Nothing more will come: a beginning that waits for its rest is given up, and what was taken for its inside is looked
  // through.
  void finish() { finished_ = true; }
  // The next whole picture, from SOI to EOI. None: more bytes are needed.
  std::optional<std::vector<std::uint8_t>> next();

  std::int64_t passed_over() const { return passed_over_; }  // beginnings of pictures that became none

 private:
  enum class Step { more, whole, broken };

  bool find_start();
  Step walk();
  Step walk_header();
  Step walk_scan();
  void give_up();
  void drop_to(std::size_t at);

  const std::size_t longest_;
  std::vector<std::uint8_t> buffer_;
  std::size_t start_ = 0;  // of the picture; what lies before is done with
  std::size_t at_ = 0;     // how far its markers are walked
  int segments_ = 0;
  bool started_ = false, in_scan_ = false, finished_ = false;
  std::int64_t passed_over_ = 0;
};

// Width and height as the header says; none where it has none.
std::optional<cv::Size> jpeg_size(std::span<const std::uint8_t> jpeg);

// One picture of a stream as 8-bit BGR. Error for damage, and over 2^25 pixels (8K), which are refused before there is memory
// for them. Without Huffman tables the usual ones are taken, as cameras expect.
cv::Mat decode_live_jpeg(const std::vector<std::uint8_t>& jpeg, const std::string& name);

}  // namespace fovea
