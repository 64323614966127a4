#include "datasets/channels.hpp"

#include <map>
#include <opencv2/imgproc.hpp>

#include "modules/core/error.hpp"

namespace fovea {

cv::Mat with_channels(const cv::Mat& image, int channels) {
  static const std::map<std::pair<int, int>, int> conversions{
      {{1, 3}, cv::COLOR_GRAY2BGR}, {{4, 3}, cv::COLOR_BGRA2BGR}, {{3, 1}, cv::COLOR_BGR2GRAY}, {{4, 1}, cv::COLOR_BGRA2GRAY}};
  if (image.channels() == channels) return image;
  const auto conversion = conversions.find({image.channels(), channels});
  check(conversion != conversions.end(), "preprocess: the network takes ", channels, " channels, the image has ",
        image.channels());
  cv::Mat out;
  cv::cvtColor(image, out, conversion->second);
  return out;
}

cv::Mat without_alpha(const Image& image) {
  cv::Mat out = image.pixels;
  if (image.grey && out.channels() > 1) cv::extractChannel(image.pixels, out, 0);
  else if (out.channels() == 4) cv::cvtColor(image.pixels, out, cv::COLOR_BGRA2BGR);
  return out;
}

}  // namespace fovea
