// Heat maps: ranges, overlays that keep the geometry, and files that come back bit for bit.
#include "pipeline/sinks/heatmap.hpp"

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
namespace fs = std::filesystem;

namespace {

cv::Mat ramp(int width, int height) {
  cv::Mat heat(height, width, CV_32F);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) heat.at<float>(y, x) = static_cast<float>(y * width + x) / 7 - 3;
  return heat;
}

// An .npy reader of its own, as NumPy's format description has it.
cv::Mat read_npy(const fs::path& file) {
  const std::vector<std::uint8_t> b = read_file(file);
  REQUIRE(b.size() > 10);
  REQUIRE(std::memcmp(b.data(), "\x93NUMPY\x01\x00", 8) == 0);
  const std::size_t header = b[8] + 256u * b[9];
  REQUIRE((10 + header) % 64 == 0);
  REQUIRE(b[9 + header] == '\n');
  const std::string text(b.begin() + 10, b.begin() + 10 + static_cast<std::ptrdiff_t>(header));
  int rows = 0, cols = 0;
  REQUIRE(std::sscanf(text.c_str(), "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", &rows, &cols) == 2);
  REQUIRE(b.size() == 10 + header + sizeof(float) * static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
  cv::Mat heat(rows, cols, CV_32F);
  std::memcpy(heat.data, b.data() + 10 + header, b.size() - 10 - header);
  return heat;
}

}  // namespace

TEST_CASE("percentiles ignore outliers and what is not finite") {
  cv::Mat heat = ramp(10, 10);
  CHECK(percentile_range(heat, 0, 100).low == -3.0f);
  CHECK(percentile_range(heat, 0, 100).high == 99.0f / 7 - 3);
  heat.at<float>(9, 9) = 1e9f;
  heat.at<float>(0, 0) = std::numeric_limits<float>::quiet_NaN();
  heat.at<float>(0, 1) = -std::numeric_limits<float>::infinity();
  const HeatRange range = percentile_range(heat, 2, 98);
  CHECK(range.low > -3);
  CHECK(range.high < 12);
  const HeatRange none = percentile_range(cv::Mat(2, 2, CV_32F, cv::Scalar(std::nan(""))), 1, 99);
  CHECK(none.low == 0);
  CHECK(none.high == 0);
  CHECK_THROWS_AS(percentile_range(cv::Mat(2, 2, CV_8U), 1, 99), Error);
  CHECK_THROWS_AS(percentile_range(cv::Mat(), 1, 99), Error);
  CHECK_THROWS_AS(percentile_range(heat, 60, 40), Error);
}

TEST_CASE("what has no value gets no colour, in wide maps as in narrow ones") {
  for (const int width : {1, 3, 7, 64, 131}) {
    const Image image{cv::Mat(5, width, CV_8UC1, cv::Scalar(100)), true, {}};
    cv::Mat heat(5, width, CV_32F, cv::Scalar(0.5));
    heat.rowRange(1, 3) = cv::Scalar(std::nan(""));
    const cv::Mat mask = missing(heat), out = heat_overlay(image, heat).pixels;
    CHECK(cv::countNonZero(mask) == 2 * width);
    CHECK(cv::countNonZero(mask.rowRange(1, 3)) == 2 * width);
    CHECK(cv::norm(out.rowRange(1, 3), cv::Mat(2, width, CV_8UC3, cv::Scalar::all(100)), cv::NORM_INF) == 0);
    CHECK(cv::norm(out.rowRange(3, 4), cv::Mat(1, width, CV_8UC3, cv::Scalar::all(100)), cv::NORM_INF) > 0);
  }
}

TEST_CASE("one hot pixel colours one pixel of the overlay") {
  for (int type : {CV_8UC1, CV_8UC3, CV_8UC4, CV_16UC1, CV_16UC3, CV_16UC4}) {
    const bool deep = CV_MAT_DEPTH(type) == CV_16U;
    const Image image{cv::Mat(9, 14, type, cv::Scalar::all(deep ? 65535 : 255)), CV_MAT_CN(type) == 1, {}};
    cv::Mat heat(9, 14, CV_32F, cv::Scalar(0.25));
    heat.at<float>(3, 11) = 0.75f;
    for (Colours colours : {Colours::viridis, Colours::inferno, Colours::turbo}) {
      const cv::Mat out = heat_overlay(image, heat, {.colours = colours, .low = 0, .high = 100}).pixels;
      REQUIRE(out.type() == CV_8UC3);
      REQUIRE(out.size() == heat.size());
      for (int y = 0; y < 9; ++y)
        for (int x = 0; x < 14; ++x) CHECK((out.at<cv::Vec3b>(y, x) == out.at<cv::Vec3b>(0, 0)) == (y != 3 || x != 11));
    }
  }
}

TEST_CASE("the overlay shows the picture in grey where opacity is 0, clear parts white, and a legend below") {
  Image image{cv::Mat(40, 200, CV_8UC4, cv::Scalar(60, 60, 60, 255)), false, {}};
  image.pixels.at<cv::Vec4b>(0, 0) = {10, 10, 10, 0};
  const cv::Mat plain = heat_overlay(image, ramp(200, 40), {.opacity = 0}).pixels;
  CHECK(plain.at<cv::Vec3b>(0, 0) == cv::Vec3b(255, 255, 255));
  CHECK(plain.at<cv::Vec3b>(20, 100) == cv::Vec3b(60, 60, 60));
  const cv::Mat with = heat_overlay(image, ramp(200, 40), {.legend = true}).pixels;
  const cv::Mat without = heat_overlay(image, ramp(200, 40), {}).pixels;
  CHECK(with.cols == 200);
  CHECK(with.rows > 40);
  CHECK(cv::norm(with.rowRange(0, 40), without, cv::NORM_INF) == 0);
  const Image dot{cv::Mat(1, 1, CV_8UC1, cv::Scalar(7)), true, {}};
  CHECK(heat_overlay(dot, cv::Mat(1, 1, CV_32F, cv::Scalar(2)), {.legend = true}).pixels.cols == 1);
  CHECK_THROWS_AS(heat_overlay(image, ramp(199, 40), {}), Error);
  CHECK_THROWS_AS(heat_overlay(image, ramp(200, 40), {.opacity = 2}), Error);
}

TEST_CASE("a heat map comes back from .npy bit for bit") {
  const test::Folder folder;
  for (auto [width, height] : {std::pair{1, 1}, {7, 3}, {1000, 2}, {2, 1000}}) {
    cv::Mat heat = ramp(width + 3, height)(cv::Rect(1, 0, width, height));  // rows that do not touch
    heat.at<float>(0, 0) = std::numeric_limits<float>::infinity();
    write_heat_npy(folder / "heat.npy", heat);
    const cv::Mat back = read_npy(folder / "heat.npy");
    REQUIRE(back.size() == heat.size());
    for (int y = 0; y < height; ++y)
      REQUIRE(std::memcmp(back.ptr(y), heat.ptr(y), sizeof(float) * static_cast<std::size_t>(width)) == 0);
  }
}

TEST_CASE("a heat map comes back from a 16-bit PNG and its scale") {
  const test::Folder folder;
  for (const cv::Mat& heat : {ramp(31, 17), cv::Mat(4, 4, CV_32F, cv::Scalar(0.5))}) {
    write_heat_png(folder / "heat.png", heat);
    const Image image = read_image(folder / "heat.png");
    REQUIRE(image.pixels.type() == CV_16UC1);
    REQUIRE(image.pixels.size() == heat.size());
    std::ifstream in(folder / "heat.png.json");
    const auto facts = nlohmann::json::parse(in);
    CHECK(facts["width"] == heat.cols);
    CHECK(facts["height"] == heat.rows);
    const double low = facts["min"], high = facts["max"];
    for (int y = 0; y < heat.rows; ++y)
      for (int x = 0; x < heat.cols; ++x)
        REQUIRE(std::abs(low + image.pixels.at<std::uint16_t>(y, x) / 65535.0 * (high - low) -
                         static_cast<double>(heat.at<float>(y, x))) <= (high - low) / 65535 + 1e-6);
  }
  CHECK_THROWS_AS(write_heat_png(folder / "missing/heat.png", ramp(2, 2)), Error);
}
