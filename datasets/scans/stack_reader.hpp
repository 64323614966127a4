// The pictures of a stack as a network sees them, each decoded once where they are asked for in order.
#pragma once

#include <map>
#include <memory>

#include "datasets/scans/image_stack.hpp"
#include "modules/preprocess.hpp"

namespace fovea {

class StackReader {
 public:
  StackReader(std::shared_ptr<const ImageStack> stack, const Preprocess& preprocess);

  const StackImage& image(int i);
  // f32 in 0..1. Where the recipe's channels are neighbours: the slices of the same volume around slice i, the outermost ones repeated at its ends.
  cv::Mat values(int i);

 private:
  struct Kept {
    StackImage image;
    cv::Mat values;
  };
  struct Range {
    int first = 0, last = 0;
  };
  Kept& at(int i);
  Range volume_of(int i) const;

  std::shared_ptr<const ImageStack> stack_;
  Preprocess preprocess_;
  std::map<int, Kept> kept_;
};

}  // namespace fovea
