#include "datasets/scans/local_contrast.hpp"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "modules/core/error.hpp"

namespace fovea {
namespace {

constexpr float kSpreads = 6, kLeastSpread = 0.005f;

// f32: 1 where a channel is above the background, else 0.
cv::Mat foreground_of(const std::vector<cv::Mat>& channels, double background) {
  cv::Mat most = channels.front().clone(), out;
  for (const cv::Mat& c : channels) most = cv::max(most, c);
  cv::Mat(most > background).convertTo(out, CV_32F, 1 / 255.0);
  return out;
}

cv::Mat blurred(const cv::Mat& values, double sigma) {
  cv::Mat out;
  cv::GaussianBlur(values, out, cv::Size(), sigma, sigma, cv::BORDER_REFLECT_101);
  return out;
}

// `weight`: the foreground, blurred: what the blurred sums are divided by.
cv::Mat against_surroundings(const cv::Mat& values, const cv::Mat& foreground, const cv::Mat& weight, double sigma) {
  const cv::Mat seen = values.mul(foreground), sum = blurred(seen, sigma), squares = blurred(seen.mul(seen), sigma);
  cv::Mat out = cv::Mat::zeros(values.size(), CV_32F);
  for (int y = 0; y < out.rows; ++y)
    for (int x = 0; x < out.cols; ++x) {
      if (foreground.at<float>(y, x) == 0) continue;
      const float w = weight.at<float>(y, x), mean = sum.at<float>(y, x) / w;
      const float spread = std::sqrt(std::max(squares.at<float>(y, x) / w - mean * mean, 0.0f));
      const float v = 0.5f + (values.at<float>(y, x) - mean) / (kSpreads * (spread + kLeastSpread));
      out.at<float>(y, x) = std::clamp(v, 0.0f, 1.0f);
    }
  return out;
}

}  // namespace

cv::Mat local_contrast(const cv::Mat& values, double sigma, double background) {
  check(values.depth() == CV_32F && !values.empty() && sigma > 0, "local contrast: expected f32 values and a sigma above 0");
  std::vector<cv::Mat> channels;
  cv::split(values, channels);
  const cv::Mat foreground = foreground_of(channels, background), weight = blurred(foreground, sigma);
  for (cv::Mat& c : channels) c = against_surroundings(c, foreground, weight, sigma);
  cv::Mat out;
  cv::merge(channels, out);
  return out;
}

}  // namespace fovea
