// A picture as a highlighting network looks at it: preprocessed, its sides made multiples of the network's stride, in windows where it is large.
#pragma once

#include <vector>

#include "datasets/preprocess.hpp"
#include "modules/model.hpp"

namespace fovea {

// The largest stride of the network's features, 1 without a backbone: sides that it divides are seen without a rest.
int stride_of(const Model& model);
int up_to_multiple(int v, int of);

struct NetworkView {
  Tensor
      tensor;  // 1 x C x H x W, f32, channels-last: what `geometry` says, and around it what is mirrored: a margin, and up to a stride
  Geometry geometry;              // without what was mirrored
  int margin = 0;                 // the pixel at which that begins
  std::vector<cv::Rect> windows;  // on the tensor; one where it is small

  // values: f32 in 0..1 as unit_range() gives them. `window`: a side; 0: as HighlightOptions::window says.
  NetworkView(const cv::Mat& values, const Preprocess& p, int stride, int margin, int window, double overlap);
  cv::Size size() const { return {static_cast<int>(tensor.dim(3)), static_cast<int>(tensor.dim(2))}; }
  cv::Rect inside() const { return {{margin, margin}, geometry.network}; }  // of the tensor: what is not mirrored
  Tensor part(const cv::Rect& window) const;
};

}  // namespace fovea
