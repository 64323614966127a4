// Reads and decodes the input file, or the page of it that the frame is; leaves videos to whom they are for.
#pragma once

#include "pipeline/stage.hpp"

namespace fovea {

class LoadImage final : public Stage {
 public:
  std::string_view name() const override { return "load"; }
  Contract contract() const override { return Contract().gives(kImage); }
  void process(std::span<Frame> batch) override;
};

}  // namespace fovea
