// What super-resolution networks share: one map in (N x 3 x H x W, RGB), one out (N x 3 x sH x sW).
#pragma once

#include "modules/nn/block.hpp"

namespace fovea {

// What an upscaling network is to the code that cuts images into tiles.
struct UpscaleFacts {
  int scale = 0;
  int radius = 0;          // an output pixel depends on inputs at most this far away (in input pixels), global statistics apart
  std::string statistics;  // glob of the taps that depend on the whole image; empty when there are none
  std::string maps;        // glob of the taps worth showing
};

class UpscaleNetwork : public MapBlock {
 public:
  using MapBlock::MapBlock;
  virtual UpscaleFacts facts() const = 0;
};

}  // namespace fovea
