// What segmentation heads share: the last feature in, logits N x classes x H x W out.
#pragma once

#include <string>
#include <vector>

#include "modules/nn/block.hpp"

namespace fovea {

class Segmenter : public MapBlock {
 public:
  using MapBlock::MapBlock;
  virtual const std::vector<std::string>& classes() const = 0;
};

}  // namespace fovea
