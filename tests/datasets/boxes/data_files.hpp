// Files of a data set, made where they should lie.
#pragma once

#include <filesystem>
#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <string>

#include "tests/support/catch.hpp"
#include "tests/support/images.hpp"

namespace fovea::test {

inline void put(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

inline void put_picture(const std::filesystem::path& file, int width, int height) {
  std::filesystem::create_directories(file.parent_path());
  REQUIRE(cv::imwrite(file.string(), noise(width, height, CV_8UC3)));
}

}  // namespace fovea::test
