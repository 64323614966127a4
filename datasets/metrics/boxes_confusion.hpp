// Which classes a network takes for which, of boxes: with a background, for objects that were missed and detections of nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/boxes/box.hpp"

namespace fovea {

class BoxConfusion {
 public:
  struct Options {
    double score = 0.25;  // detections from here on count
    double iou = 0.5;     // what an object and a detection must have in common
  };
  // Up to 1,500 classes. Error for more.
  explicit BoxConfusion(const std::vector<std::string>& classes) : BoxConfusion(classes, Options()) {}
  BoxConfusion(const std::vector<std::string>& classes, Options options);

  // Of one image. The surest detection comes first (the first 1,000 of an image count) and takes the object that it overlaps
  // most, whatever its class; of equal overlaps one of its own. What lies in an ignored region of its class is not counted.
  // Error for unknown labels.
  void add(const std::vector<Annotation>& truth, const Detections& detections);

  // The classes, and "background" behind them.
  const std::vector<std::string>& names() const { return names_; }
  // [true class][class that was said]: the last row is detections of nothing, the last column objects that were missed.
  const std::vector<std::vector<std::int64_t>>& counts() const { return counts_; }

 private:
  Options options_;
  std::vector<std::string> names_;
  std::vector<std::vector<std::int64_t>> counts_;
};

}  // namespace fovea
