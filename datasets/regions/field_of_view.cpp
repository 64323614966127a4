#include "datasets/regions/field_of_view.hpp"

#include <opencv2/imgproc.hpp>

#include "modules/core/error.hpp"

namespace fovea {
namespace {

constexpr double kDark = 0.08;      // of the brightest channel: the rim, with a JPEG's noise
constexpr double kLeastRim = 0.01;  // of the picture

}  // namespace

cv::Mat field_of_view(const cv::Mat& values) {
  check(values.depth() == CV_32F && !values.empty(), "field of view: expected a picture of 32-bit values");
  std::vector<cv::Mat> channels;
  cv::split(values, channels);
  cv::Mat bright = channels[0];
  for (const cv::Mat& c : channels) bright = cv::max(bright, c);
  cv::GaussianBlur(bright, bright, {}, 2);
  const cv::Mat lit = bright > kDark;
  cv::Mat out = cv::Mat::zeros(lit.size(), CV_8U);
  std::vector<std::vector<cv::Point>> outlines;
  cv::findContours(lit, outlines, cv::RETR_EXTERNAL, cv::CHAIN_APPROX_NONE);
  double most = 0;
  int largest = -1;
  for (std::size_t i = 0; i < outlines.size(); ++i)
    if (const double area = cv::contourArea(outlines[i]); area > most) most = area, largest = static_cast<int>(i);
  if (largest < 0) return cv::Mat(lit.size(), CV_8U, cv::Scalar(255));
  cv::drawContours(out, outlines, largest, cv::Scalar(255), cv::FILLED);
  const double rim = 1 - static_cast<double>(cv::countNonZero(out)) / static_cast<double>(out.total());
  return rim < kLeastRim ? cv::Mat(lit.size(), CV_8U, cv::Scalar(255)) : out;
}

}  // namespace fovea
