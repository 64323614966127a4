// Where a detection head's predictions stand on the network's input, and the boxes that its numbers mean. Coordinates are those of
// datasets/boxes/box.hpp on the input: (0, 0) is the upper left edge.
#pragma once

#include <vector>

#include "datasets/boxes/box.hpp"
#include "modules/core/named.hpp"
#include "modules/core/tensor.hpp"
#include "modules/heads/detect.hpp"

namespace fovea {

// Four corners in the precision that networks compute in.
struct BoxF {
  float x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  float area() const { return (x2 - x1) * (y2 - y1); }
};
inline Box to_box(const BoxF& b) { return {b.x1, b.y1, b.x2, b.y2}; }
inline BoxF to_box_f(const Box& b) {
  return {static_cast<float>(b.x1), static_cast<float>(b.y1), static_cast<float>(b.x2), static_cast<float>(b.y2)};
}
float iou(const BoxF& a, const BoxF& b);

class DetectGrid {
 public:
  struct Level {
    int stride = 1;
    std::int64_t height = 0, width = 0, begin = 0;  // begin: the level's first prediction among all
    std::int64_t positions() const { return height * width; }
  };
  // Of one prediction: the middle of its cell, and its anchor's size (0 x 0 where there are none).
  struct Place {
    float x = 0, y = 0, stride = 1, width = 0, height = 0;
  };

  // For an input N x C x height x width.
  DetectGrid(const BoxCoding& coding, std::int64_t classes, std::int64_t height, std::int64_t width);

  const std::vector<Level>& levels() const { return levels_; }
  const std::vector<Place>& places() const { return places_; }  // in order of level, row, column and anchor
  std::int64_t size() const { return static_cast<std::int64_t>(places_.size()); }
  std::int64_t classes() const { return classes_; }
  const BoxCoding& coding() const { return coding_; }
  std::size_t level_of(std::int64_t prediction) const;

  // The box of a prediction from its coding().box_channels() numbers.
  BoxF decode(const Place& place, const float* z) const;
  // The distances of its edges from the point, in strides, left, top, right, bottom.
  void distances(const float* z, float* out) const;

 private:
  BoxCoding coding_;
  std::int64_t classes_;
  std::vector<Level> levels_;
  std::vector<Place> places_;
};

// A head's outputs as rows: dense channels-last f32 maps, class maps of all levels, then box maps. Error where a shape is another than the
// grid's.
struct DetectMaps {
  DetectMaps(const NamedTensors& outputs, const DetectGrid& grid);
  // The numbers of prediction i of picture n.
  const float* logits(std::int64_t n, std::int64_t i) const { return row(classes_, grid_->classes(), n, i); }
  const float* box(std::int64_t n, std::int64_t i) const { return row(boxes_, grid_->coding().box_channels(), n, i); }

 private:
  const float* row(const std::vector<Tensor>& maps, std::int64_t width, std::int64_t n, std::int64_t i) const;

  const DetectGrid* grid_;
  std::vector<Tensor> classes_, boxes_;
};

}  // namespace fovea
