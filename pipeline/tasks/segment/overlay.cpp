#include "pipeline/tasks/segment/overlay.hpp"

#include <opencv2/imgproc.hpp>

#include "pipeline/sinks/colours.hpp"
#include "pipeline/sinks/report_pictures.hpp"

namespace fovea {

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
