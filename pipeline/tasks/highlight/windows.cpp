#include "pipeline/tasks/highlight/windows.hpp"

#include <algorithm>
#include <cmath>

#include "modules/core/error.hpp"

namespace fovea {
namespace {

constexpr double kSigma = 0.125;    // of the side, as nnU-Net's
constexpr double kLeast = 1e-3;     // no pixel that counts counts for nothing
constexpr double kMarginOf = 0.25;  // of the overlap

// Where windows of `side` begin on an axis, evenly spread.
std::vector<int> starts(int size, int side, double overlap, int stride) {
  if (side >= size) return {0};
  const int step = std::max(stride, static_cast<int>(side * (1 - overlap)) / stride * stride), last = size - side;
  const int count = (last + step - 1) / step + 1;
  std::vector<int> out;
  for (int i = 0; i < count; ++i)
    out.push_back(static_cast<int>(std::lround(static_cast<double>(last) * i / (count - 1) / stride)) * stride);
  return out;
}

// Of one axis: `first` and `last` whether the window ends where the picture does.
std::vector<float> weights(int side, double margin, bool first, bool last) {
  std::vector<float> out;
  for (int i = 0; i < side; ++i) {
    const double at = i + 0.5;
    const bool edge = (!first && at < margin) || (!last && side - at < margin);
    const double from_middle = (at - side / 2.0) / (kSigma * side);
    out.push_back(edge ? 0.0f : static_cast<float>(std::max(kLeast, std::exp(-0.5 * from_middle * from_middle))));
  }
  return out;
}

}  // namespace

std::vector<cv::Rect> cover(cv::Size size, cv::Size window, double overlap, int stride) {
  check(size.width % stride == 0 && size.height % stride == 0 && window.width % stride == 0 && window.height % stride == 0 &&
            window.width > 0 && window.height > 0,
        "windows: expected sides that are multiples of ", stride);
  std::vector<cv::Rect> out;
  const cv::Size side(std::min(size.width, window.width), std::min(size.height, window.height));
  for (const int y : starts(size.height, side.height, overlap, stride))
    for (const int x : starts(size.width, side.width, overlap, stride)) out.emplace_back(cv::Point(x, y), side);
  return out;
}

cv::Mat blending_weights(const cv::Rect& window, cv::Size size, double overlap) {
  const auto across = weights(window.width, kMarginOf * overlap * window.width, window.x == 0, window.br().x == size.width),
             down = weights(window.height, kMarginOf * overlap * window.height, window.y == 0, window.br().y == size.height);
  cv::Mat out(window.size(), CV_32F);
  for (int y = 0; y < out.rows; ++y)
    for (int x = 0; x < out.cols; ++x)
      out.at<float>(y, x) = down[static_cast<std::size_t>(y)] * across[static_cast<std::size_t>(x)];
  return out;
}

BlendedMaps::BlendedMaps(cv::Size size, std::size_t maps) : weights_(cv::Mat::zeros(size, CV_32F)) {
  for (std::size_t i = 0; i < maps; ++i) sums_.push_back(cv::Mat::zeros(size, CV_32F));
}

void BlendedMaps::add(const std::vector<cv::Mat>& maps, const cv::Rect& window, const cv::Mat& weights) {
  check(maps.size() == sums_.size(), "windows: expected ", sums_.size(), " maps, got ", maps.size());
  for (std::size_t i = 0; i < maps.size(); ++i) {
    cv::Mat sum = sums_[i](window);
    sum += maps[i].mul(weights);
  }
  cv::Mat sum = weights_(window);
  sum += weights;
}

std::vector<cv::Mat> BlendedMaps::mean() const {
  std::vector<cv::Mat> out;
  for (const cv::Mat& sum : sums_) out.push_back(sum / weights_);
  return out;
}

Tensor WindowedInput::part(const cv::Rect& window) const {
  return x.slice(2, window.y, window.br().y).slice(3, window.x, window.br().x).contiguous(Layout::channels_last);
}

std::vector<cv::Mat> WindowedInput::blended(
    std::size_t maps, const std::function<std::vector<cv::Mat>(const Tensor& part, std::size_t index)>& see) const {
  BlendedMaps sum(size(), maps);
  for (std::size_t i = 0; i < windows.size(); ++i)
    sum.add(see(part(windows[i]), i), windows[i], blending_weights(windows[i], size(), overlap));
  return sum.mean();
}

cv::Mat on_pixels(const explain::Map& map, cv::Size size) {
  const std::vector<double> values = map.on_pixels(size.height, size.width);
  cv::Mat out(size, CV_32F);
  std::copy(values.begin(), values.end(), out.begin<float>());
  return out;
}

}  // namespace fovea
