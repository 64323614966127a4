// What super-resolution networks share: an image in (N x 3 x H x W, RGB, 0..1), its enlargement out (N x 3 x sH x sW, output "image").
#pragma once

#include "modules/nn/head.hpp"

namespace fovea {

// What an upscaling network is to the code that cuts images into tiles.
struct UpscaleFacts {
  int scale = 0;
  int radius = 0;          // an output pixel depends on inputs at most this far away (in input pixels), global statistics apart
  std::string statistics;  // glob of the taps that depend on the whole image; empty when there are none
  std::string maps;        // glob of the taps worth showing
};

class UpscaleNetwork : public MapHead {
 public:
  UpscaleNetwork(const Scope& scope, UpscaleFacts facts) : MapHead(scope, info_of(facts.scale)), facts_(std::move(facts)) {}
  const UpscaleFacts& facts() const { return facts_; }

 private:
  static HeadInfo info_of(int scale) {
    using A = OutputAxis;
    return {"upscale", {}, {{"image", "image", {A::batch(), A::constant(3), A::height(scale), A::width(scale)}}}, true};
  }

  UpscaleFacts facts_;
};

}  // namespace fovea
