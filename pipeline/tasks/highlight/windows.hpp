// Windows over a picture, and the sum of what a network said in each: Gaussian weights, none at edges behind which the picture goes on.
#pragma once

#include <functional>
#include <opencv2/core.hpp>
#include <vector>

#include "modules/core/tensor.hpp"
#include "modules/explain/grid.hpp"

namespace fovea {

// Windows of `window` that cover `size`, each at most as large, beginning at multiples of `stride`, with at least `overlap` of its side in common with its
// neighbours. Sides must be multiples of the stride.
std::vector<cv::Rect> cover(cv::Size size, cv::Size window, double overlap, int stride);

// The weight of a window's pixels where windows overlap by so much: 0 within a quarter of the overlap from inner edges. f32.
cv::Mat blending_weights(const cv::Rect& window, cv::Size size, double overlap);

// Means of maps over the windows that show a pixel.
class BlendedMaps {
 public:
  BlendedMaps(cv::Size size, std::size_t maps);
  // One map each, f32, of the window's size.
  void add(const std::vector<cv::Mat>& maps, const cv::Rect& window, const cv::Mat& weights);
  std::vector<cv::Mat> mean() const;

 private:
  std::vector<cv::Mat> sums_;
  cv::Mat weights_;
};

// A picture as a network takes it, 1 x C x H x W, and the windows that it is seen in.
struct WindowedInput {
  Tensor x;
  std::vector<cv::Rect> windows;
  double overlap = 0;  // of neighbouring windows, of their side

  cv::Size size() const { return {static_cast<int>(x.dim(3)), static_cast<int>(x.dim(2))}; }
  Tensor part(const cv::Rect& window) const;
  // So many maps of the whole picture: what `see` says of each window, blended.
  std::vector<cv::Mat> blended(std::size_t maps,
                               const std::function<std::vector<cv::Mat>(const Tensor& part, std::size_t index)>& see) const;
};

// A map of a network's input as its pixels: f32.
cv::Mat on_pixels(const explain::Map& map, cv::Size size);

}  // namespace fovea
