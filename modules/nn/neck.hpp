// Neck: what stands between backbone and head and turns the backbone's features into others, such as a pyramid of one width.
//   neck: {type: fpn, channels: 64}
#pragma once

#include "modules/nn/block.hpp"
#include "modules/nn/feature.hpp"

namespace fovea {

class Neck : public Block {
 public:
  // What it gives, in order of depth.
  const std::vector<Feature>& features() const { return features_; }

 protected:
  // Those features, all of one width.
  static std::vector<Feature> of_width(Features in, std::int64_t width) {
    std::vector<Feature> out(in.begin(), in.end());
    for (Feature& f : out) f.channels = width;
    return out;
  }
  Neck(const Scope& scope, std::vector<Feature> features) : Block(scope), features_(std::move(features)) {}
  // All of features(), in that order, from the features that the neck was made for.
  Vars forward(const Vars& in) const override = 0;

 private:
  std::vector<Feature> features_;
};

}  // namespace fovea
