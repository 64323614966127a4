// From a network's logits to labels on the picture's own pixels.
#pragma once

#include <opencv2/core.hpp>
#include <vector>

#include "datasets/preprocess.hpp"
#include "modules/core/tensor.hpp"

namespace fovea {

struct LabelMap {
  std::vector<cv::Mat> probabilities;  // of each class, CV_32F of the picture's size; NaN where the network saw nothing
  cv::Mat labels;  // u8: the class's index, of one class 1 where it is more probable than not; 255 where the network saw nothing
};

// logits: 1 x classes x h x w that cover the network's input evenly; of one class a sigmoid makes the probability, of more a softmax over them.
// Probabilities are interpolated bilinearly at the centres of the picture's pixels. Error where a logit is not finite.
LabelMap label_map(const Tensor& logits, const Geometry& geometry);

}  // namespace fovea
