// A picture as a file, in a folder that is made for it.
#pragma once

#include <filesystem>

#include "datasets/image.hpp"
#include "modules/io/files.hpp"

namespace fovea::test {

inline void write_png(const std::filesystem::path& file, const cv::Mat& pixels) {
  const auto bytes = encode_image(Image{pixels, pixels.channels() == 1, {}}, "png");
  std::filesystem::create_directories(file.parent_path());
  write_file_atomically(file, bytes.data(), bytes.size());
}

}  // namespace fovea::test
