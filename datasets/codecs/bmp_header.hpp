// What stands before the pixels of a BMP, in each of the header's eight sizes.
#pragma once

#include <array>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "datasets/codecs/codec.hpp"

namespace fovea::codec {

struct BmpHeader {
  enum class Packing { none, runs, jpeg, png };

  std::int64_t width = 0, height = 0;
  bool top_down = false;
  int bits = 0;  // a pixel
  Packing packing = Packing::none;
  std::vector<cv::Vec3b> palette;      // BGR; up to 8 bits only
  std::array<std::uint32_t, 4> masks;  // blue, green, red, alpha; of 16 and 32 bits
  View pixels;                         // from their first byte to the file's end
  View icc;

  std::int64_t row_bytes() const { return (width * bits + 31) / 32 * 4; }
};

// Throws Error: truncated, damaged, or "not supported: " and the kind. Does not look at the number of pixels.
BmpHeader read_bmp_header(View bytes, const std::string& name);

// Pixels of 8 (1, 2, 4 and 8 bits: palette indices) or 24 bits (blue, green, red) out of run lengths, first row last unless top down.
// What no run reaches keeps colour 0. Throws Error where the runs leave the image or end too early.
cv::Mat read_bmp_runs(const BmpHeader& header, const std::string& name);

}  // namespace fovea::codec
