// JPEGs for tests of live sources.
#pragma once

#include <vector>

#include "datasets/image.hpp"
#include "tests/support/images.hpp"

namespace fovea::test {

inline Buffer jpeg(const cv::Mat& pixels, int quality = 80) {
  Image image;
  image.pixels = pixels;
  return encode_image(image, "jpg", {.jpeg_quality = quality});
}

// One colour, which survives the encoding.
inline Buffer plain_jpeg(int width, int height, int value) {
  return jpeg(cv::Mat(height, width, CV_8UC3, cv::Scalar::all(value)));
}

// Without its segments of that marker.
inline Buffer without(const Buffer& jpeg, std::uint8_t marker) {
  Buffer left{0xff, 0xd8};
  std::size_t at = 2;
  for (bool in_header = true; in_header;) {
    const std::size_t end = at + 2 + (static_cast<std::size_t>(jpeg[at + 2]) << 8 | jpeg[at + 3]);
    in_header = jpeg[at + 1] != 0xda;
    if (jpeg[at + 1] != marker)
      left.insert(left.end(), jpeg.begin() + static_cast<std::ptrdiff_t>(at), jpeg.begin() + static_cast<std::ptrdiff_t>(end));
    at = end;
  }
  left.insert(left.end(), jpeg.begin() + static_cast<std::ptrdiff_t>(at), jpeg.end());
  return left;
}

// With an application segment that holds another JPEG, as EXIF holds a thumbnail.
inline Buffer with_thumbnail(Buffer jpeg, const Buffer& thumbnail) {
  Buffer segment{0xff, 0xe1};
  put_big(segment, static_cast<std::uint32_t>(thumbnail.size() + 2), 2);
  insert(segment, segment.size(), thumbnail);
  insert(jpeg, 2, segment);
  return jpeg;
}

inline Buffer joined(const std::vector<Buffer>& parts) {
  Buffer all;
  for (const Buffer& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace fovea::test
