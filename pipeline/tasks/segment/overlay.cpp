#include "pipeline/tasks/segment/overlay.hpp"

#include <cmath>
#include <opencv2/imgproc.hpp>

#include "pipeline/sinks/report_pictures.hpp"

namespace fovea {

// Hues that lie far from each other whatever their number: steps of the golden section around the circle.
cv::Scalar label_colour(std::size_t index) {
  constexpr double kGolden = 0.6180339887498949, kFirst = 0.03;
  const double hue = std::fmod(kFirst + static_cast<double>(index) * kGolden, 1.0);
  cv::Mat hsv(1, 1, CV_8UC3, cv::Scalar(hue * 179, 200, 245)), bgr;
  cv::cvtColor(hsv, bgr, cv::COLOR_HSV2BGR);
  const auto c = bgr.at<cv::Vec3b>(0, 0);
  return {static_cast<double>(c[0]), static_cast<double>(c[1]), static_cast<double>(c[2])};
}

cv::Mat label_overlay(const Image& image, const cv::Mat& labels, const std::vector<std::string>& classes, double opacity) {
  cv::Mat out = displayable(image).clone();
  const bool one = classes.size() == 1;
  for (std::size_t c = one ? 0 : 1; c < classes.size(); ++c) {
    const cv::Mat mask = labels == static_cast<int>(one ? 1 : c);
    const cv::Mat colour(out.size(), CV_8UC3, label_colour(c));
    cv::Mat mixed;
    cv::addWeighted(out, 1 - opacity, colour, opacity, 0, mixed);
    mixed.copyTo(out, mask);
    std::vector<std::vector<cv::Point>> outlines;
    cv::findContours(mask, outlines, cv::RETR_LIST, cv::CHAIN_APPROX_NONE);
    cv::drawContours(out, outlines, -1, label_colour(c), 1);
  }
  return out;
}

}  // namespace fovea
