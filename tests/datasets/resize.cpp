#include "datasets/resize.hpp"

#include "datasets/image.hpp"
#include "datasets/metrics/image_quality.hpp"
#include "modules/core/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;
namespace fs = std::filesystem;

namespace {

struct Set {
  const char* name;
  int scale;
  double luma_psnr;  // published, made on Y alone: SRCNN's script
  double rgb_psnr;   // from the 8-bit RGB low-resolution files
};
constexpr Set kSets[] = {{"Set5", 2, 33.66, 33.674},
                         {"Set5", 3, 30.39, 30.405},
                         {"Set5", 4, 28.42, 28.430},
                         {"Set14", 2, 30.24, 30.232},
                         {"Set14", 4, 26.00, 25.997}};

struct Pair {
  cv::Mat high, low;
};

std::vector<Pair> pairs(const fs::path& folder, int scale) {
  std::vector<Pair> out;
  for (const auto& file : fs::directory_iterator(folder / "HR")) {
    std::string name = file.path().filename().string();
    name.replace(name.find("_HR"), 3, "_LR");
    const cv::Mat high = read_image(file.path()).pixels;
    out.push_back(
        {high(cv::Rect(0, 0, high.cols / scale * scale, high.rows / scale * scale)), read_image(folder / "LR" / name).pixels});
  }
  return out;
}

cv::Mat rounded(const cv::Mat& y) {
  cv::Mat out;
  y.convertTo(out, CV_8U);
  return out;
}

}  // namespace

TEST_CASE("imresize: sizes, constants, identity", "[datasets]") {
  const cv::Mat flat(7, 5, CV_8UC3, cv::Scalar(10, 200, 255));
  for (double scale : {0.3, 0.5, 1.0, 1.7, 3.0}) {
    const cv::Mat out = imresize(flat, scale);
    CHECK(out.rows == static_cast<int>(std::ceil(7 * scale)));
    CHECK(out.cols == static_cast<int>(std::ceil(5 * scale)));
    CHECK(cv::norm(out, cv::Mat(out.size(), CV_8UC3, cv::Scalar(10, 200, 255)), cv::NORM_INF) == 0);
  }
  cv::Mat noise(9, 6, CV_32FC1);
  cv::randu(noise, 0, 1);
  CHECK(cv::norm(imresize(noise, cv::Size(6, 9)), noise, cv::NORM_INF) == 0);
  CHECK(imresize(noise, cv::Size(1, 1)).size() == cv::Size(1, 1));
  CHECK(imresize(cv::Mat(1, 1, CV_16UC4, cv::Scalar::all(65535)), 4.0).at<cv::Vec4w>(3, 3)[3] == 65535);
}

TEST_CASE("imresize: weights by hand", "[datasets]") {
  // Doubling [0 0 1 1]: positions are 1/4 off, Keys' weights there are -9/128, 111/128, 29/128, -3/128.
  const cv::Mat row = (cv::Mat_<double>(1, 4) << 0, 0, 1, 1);
  const cv::Mat out = imresize(row, cv::Size(8, 1));
  const double expected[] = {0, -3 / 128.0, -9 / 128.0, 26 / 128.0, 102 / 128.0, 137 / 128.0, 131 / 128.0, 1};
  for (int i = 0; i < 8; ++i) CHECK(out.at<double>(0, i) == Approx(expected[i]).margin(1e-12));
  const cv::Mat bytes = (cv::Mat_<std::uint8_t>(1, 4) << 0, 0, 255, 255);
  CHECK(imresize(bytes, cv::Size(8, 1)).at<std::uint8_t>(0, 2) == 0);
  CHECK(imresize(bytes, cv::Size(8, 1)).at<std::uint8_t>(0, 5) == 255);
}

TEST_CASE("imresize: edges mirror or repeat", "[datasets]") {
  const cv::Mat row = (cv::Mat_<double>(1, 4) << 0, 1, 0, 0);
  CHECK(imresize(row, cv::Size(8, 1), Edge::mirror).at<double>(0, 0) == Approx(-12 / 128.0));
  CHECK(imresize(row, cv::Size(8, 1), Edge::repeat).at<double>(0, 0) == Approx(-9 / 128.0));
  CHECK_THROWS_AS(imresize(cv::Mat(), 2.0), Error);
  CHECK_THROWS_AS(imresize(row, 0.0), Error);
  CHECK_THROWS_AS(imresize(row, cv::Size(0, 3)), Error);
  CHECK_THROWS_AS(imresize(cv::Mat(3, 3, CV_32SC1), 2.0), Error);
}

TEST_CASE("bicubic baselines of super-resolution are the published ones", "[datasets][shared]") {
  FOVEA_NEEDS_SHARED(root, "data/sr/eval");
  for (const Set& set : kSets) {
    INFO(set.name << " x" << set.scale);
    double luma = 0, rgb = 0;
    int n = 0;
    for (const auto& [high, low] : pairs(root / set.name / ("x" + std::to_string(set.scale)), set.scale)) {
      CHECK(cv::norm(imresize(high, 1.0 / set.scale, Edge::repeat), low, cv::NORM_INF) == 0);
      rgb += psnr_y(imresize(low, set.scale), high, set.scale);
      cv::Mat y;
      rounded(rgb_to_y(high)).convertTo(y, CV_64F);
      luma += psnr_y(rounded(imresize(imresize(y, 1.0 / set.scale), set.scale)), rounded(y), set.scale);
      ++n;
    }
    REQUIRE(n > 0);
    CHECK(luma / n == Approx(set.luma_psnr).margin(0.01));
    CHECK(rgb / n == Approx(set.rgb_psnr).margin(0.002));
  }
}
