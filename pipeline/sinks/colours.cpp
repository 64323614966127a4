#include "pipeline/sinks/colours.hpp"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace fovea {

// Steps of the golden section around the circle of hues.
cv::Scalar label_colour(std::size_t index) {
  constexpr double kGolden = 0.6180339887498949, kFirst = 0.03;
  const double hue = std::fmod(kFirst + static_cast<double>(index) * kGolden, 1.0);
  cv::Mat hsv(1, 1, CV_8UC3, cv::Scalar(hue * 179, 200, 245)), bgr;
  cv::cvtColor(hsv, bgr, cv::COLOR_HSV2BGR);
  const auto c = bgr.at<cv::Vec3b>(0, 0);
  return {static_cast<double>(c[0]), static_cast<double>(c[1]), static_cast<double>(c[2])};
}

cv::Scalar text_colour_on(const cv::Scalar& bgr) {
  const double luma = 0.114 * bgr[0] + 0.587 * bgr[1] + 0.299 * bgr[2];
  return luma > 140 ? cv::Scalar::all(0) : cv::Scalar::all(255);
}

double relative_luminance(const cv::Scalar& bgr) {
  const auto linear = [](double v) {
    const double share = v / 255;
    return share <= 0.04045 ? share / 12.92 : std::pow((share + 0.055) / 1.055, 2.4);
  };
  return 0.0722 * linear(bgr[0]) + 0.7152 * linear(bgr[1]) + 0.2126 * linear(bgr[2]);
}

double contrast(const cv::Scalar& a, const cv::Scalar& b) {
  const auto [dark, light] = std::minmax({relative_luminance(a), relative_luminance(b)});
  return (light + 0.05) / (dark + 0.05);
}

}  // namespace fovea
