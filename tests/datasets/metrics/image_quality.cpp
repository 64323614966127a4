#include "datasets/metrics/image_quality.hpp"

#include <cmath>

#include "modules/core/error.hpp"
#include "tests/support/catch.hpp"

using namespace fovea;

TEST_CASE("luminance runs from 16 to 235 and weighs B, G, R in their places", "[datasets]") {
  const cv::Mat pixels = (cv::Mat_<cv::Vec3b>(1, 5) << cv::Vec3b(0, 0, 0), cv::Vec3b(255, 255, 255), cv::Vec3b(255, 0, 0),
                          cv::Vec3b(0, 255, 0), cv::Vec3b(0, 0, 255));
  const double expected[] = {16, 235, 40.966, 144.553, 81.481};
  const cv::Mat y = rgb_to_y(pixels);
  for (int i = 0; i < 5; ++i) CHECK(y.at<double>(0, i) == Approx(expected[i]));
  CHECK(rgb_to_y(cv::Mat(1, 1, CV_8UC1, cv::Scalar(77))).at<double>(0, 0) == 77);
  CHECK_THROWS_AS(rgb_to_y(cv::Mat(1, 1, CV_16UC3)), Error);
}

TEST_CASE("PSNR: one level off everywhere is 48.13 dB, borders do not count", "[datasets]") {
  cv::Mat a(20, 20, CV_8UC1, cv::Scalar(100)), b(20, 20, CV_8UC1, cv::Scalar(101));
  CHECK(psnr_y(a, b) == Approx(48.1308).margin(1e-4));
  CHECK(psnr_y(a, a) == kMostPsnr);  // a number, so that means and comparisons are
  cv::Mat edge = a.clone();
  edge.row(0).setTo(0);
  CHECK(psnr_y(a, edge, 1) == kMostPsnr);
  cv::Mat large(400, 400, CV_8UC1, cv::Scalar(100)), almost = large.clone();
  almost.at<std::uint8_t>(7, 7) = 101;
  CHECK(psnr_y(large, almost) == kMostPsnr);  // 100.17 dB: what is almost equal is no better than what is equal
  almost.at<std::uint8_t>(7, 8) = 101;
  CHECK(psnr_y(large, almost) == Approx(97.16).margin(0.01));
  CHECK_THROWS_AS(psnr_y(a, b(cv::Rect(0, 0, 19, 20))), Error);
  CHECK_THROWS_AS(psnr_y(a, b, 10), Error);
}

TEST_CASE("SSIM: 1 for equal images, its luminance term for flat ones", "[datasets]") {
  cv::Mat noise(32, 40, CV_8UC1), other(32, 40, CV_8UC1);
  cv::randu(noise, 0, 256);
  cv::randu(other, 0, 256);
  CHECK(ssim_y(noise, noise) == Approx(1));
  CHECK(ssim_y(noise, other) < 0.1);
  const cv::Mat a(11, 11, CV_8UC1, cv::Scalar(100)), b(11, 11, CV_8UC1, cv::Scalar(120));
  CHECK(ssim_y(a, b) == Approx((2 * 100 * 120 + 6.5025) / (100 * 100 + 120 * 120 + 6.5025)));
  CHECK_THROWS_AS(ssim_y(a, b, 1), Error);
}
