#include "pipeline/tasks/segment/label_map.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <opencv2/imgproc.hpp>

#include "datasets/masks.hpp"
#include "modules/core/not_finite.hpp"

namespace fovea {
namespace {

// Logits in a row of memory to probabilities.
void to_probabilities(const float* logits, std::vector<float>& p) {
  if (p.size() == 1) {
    p[0] = 1 / (1 + std::exp(-logits[0]));
    return;
  }
  const float highest = *std::max_element(logits, logits + p.size());
  float sum = 0;
  for (std::size_t c = 0; c < p.size(); ++c) sum += p[c] = std::exp(logits[c] - highest);
  for (float& v : p) v /= sum;
}

std::vector<cv::Mat> on_network(const Tensor& logits) {
  const Tensor dense = logits.to(DType::f32).contiguous(Layout::channels_last);
  const auto classes = static_cast<std::size_t>(logits.dim(1));
  const auto height = static_cast<int>(logits.dim(2)), width = static_cast<int>(logits.dim(3));
  std::vector<cv::Mat> maps;
  for (std::size_t c = 0; c < classes; ++c) maps.emplace_back(height, width, CV_32F);
  std::vector<float> p(classes);
  const float* row = dense.data<float>();
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x, row += classes) {
      if (!std::all_of(row, row + classes, [](float v) { return std::isfinite(v); }))
        throw NotFinite("the model gave NaN or infinity");
      to_probabilities(row, p);
      for (std::size_t c = 0; c < classes; ++c) maps[c].at<float>(y, x) = p[c];
    }
  return maps;
}

// Where on a map of that size every pixel of the picture lies; what the network did not see is marked in `unseen`.
void positions(const Geometry& g, cv::Size map, cv::Mat& at, cv::Mat& unseen) {
  constexpr double kEdge = 1e-9;
  const cv::Rect2d seen(g.content.x - 0.5 - kEdge, g.content.y - 0.5 - kEdge, g.content.width + 2 * kEdge,
                        g.content.height + 2 * kEdge);
  const double fx = static_cast<double>(map.width) / g.network.width, fy = static_cast<double>(map.height) / g.network.height;
  at.create(g.source, CV_32FC2);
  unseen = cv::Mat::zeros(g.source, CV_8U);
  for (int y = 0; y < at.rows; ++y)
    for (int x = 0; x < at.cols; ++x) {
      const cv::Point2d n = g.to_network(cv::Point2d(x, y));
      at.at<cv::Vec2f>(y, x) = cv::Vec2f(static_cast<float>((n.x + 0.5) * fx - 0.5), static_cast<float>((n.y + 0.5) * fy - 0.5));
      if (!seen.contains(n)) unseen.at<std::uint8_t>(y, x) = 255;
    }
}

std::uint8_t label_at(const std::vector<cv::Mat>& probabilities, int y, int x) {
  if (probabilities.size() == 1) return probabilities[0].at<float>(y, x) > 0.5f ? 1 : 0;
  std::size_t best = 0;
  for (std::size_t c = 1; c < probabilities.size(); ++c)
    if (probabilities[c].at<float>(y, x) > probabilities[best].at<float>(y, x)) best = c;
  return static_cast<std::uint8_t>(best);
}

}  // namespace

LabelMap label_map(const Tensor& logits, const Geometry& geometry) {
  check(logits.rank() == 4 && logits.dim(0) == 1, "expected logits 1 x classes x H x W, got ", logits.shape());
  const auto maps = on_network(logits);
  cv::Mat at, unseen;
  positions(geometry, maps[0].size(), at, unseen);
  LabelMap out;
  for (const cv::Mat& map : maps)
    cv::remap(map, out.probabilities.emplace_back(), at, cv::noArray(), cv::INTER_LINEAR, cv::BORDER_REPLICATE);
  out.labels.create(geometry.source, CV_8U);
  for (int y = 0; y < out.labels.rows; ++y)
    for (int x = 0; x < out.labels.cols; ++x) out.labels.at<std::uint8_t>(y, x) = label_at(out.probabilities, y, x);
  out.labels.setTo(kIgnoredLabel, unseen);
  for (cv::Mat& p : out.probabilities) p.setTo(std::numeric_limits<float>::quiet_NaN(), unseen);
  return out;
}

}  // namespace fovea
