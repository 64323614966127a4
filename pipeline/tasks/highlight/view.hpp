// A picture as a highlighting network looks at it: preprocessed, its sides made multiples of the network's stride, in windows where it is large.
#pragma once

#include "datasets/preprocess.hpp"
#include "modules/model.hpp"
#include "pipeline/tasks/highlight/windows.hpp"

namespace fovea {

// The largest stride of the network's features, 1 without a backbone: sides that it divides are seen without a rest.
int stride_of(const Model& model);
int up_to_multiple(int v, int of);

struct NetworkView {
  WindowedInput
      input;  // what `geometry` says, and around it what is mirrored: a margin, and up to a stride; one window where it is small
  Geometry geometry;  // without what was mirrored
  int margin = 0;     // the pixel at which that begins

  // values: f32 in 0..1 as unit_range() gives them. `window`: a side; 0: as HighlightOptions::window says.
  NetworkView(const cv::Mat& values, const Preprocess& p, int stride, int margin, int window, double overlap);
  cv::Rect inside() const { return {{margin, margin}, geometry.network}; }  // of the input: what is not mirrored
};

}  // namespace fovea
