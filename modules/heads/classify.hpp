// What classification heads share: the last feature in, logits N x classes out.
#pragma once

#include <string>
#include <vector>

#include "modules/nn/block.hpp"

namespace fovea {

class Classifier : public MapBlock {
 public:
  using MapBlock::MapBlock;
  virtual const std::vector<std::string>& classes() const = 0;
};

}  // namespace fovea
