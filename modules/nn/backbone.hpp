// Backbone: a network that turns an image into feature maps of several depths. Heads take the ones that a recipe asks for:
//   backbone: {type: resnet18, features: [layer2, layer3, layer4]}
#pragma once

#include <string>
#include <vector>

#include "modules/nn/feature.hpp"
#include "modules/nn/slot.hpp"

namespace fovea {

class Backbone : public Block {
 public:
  // Everything that it can give, in order of depth.
  const std::vector<Feature>& features() const { return features_; }
  // What forward() gives, in order of depth; at first the last alone. Error for a name that is not there.
  const std::vector<Feature>& selected() const { return selected_; }
  void select(const std::vector<std::string>& names);

 protected:
  using Block::Block;
  // Declares a feature; called by constructors, in order of depth.
  void offer(const std::string& name, std::int64_t channels, int stride);
  // The first `count` features of the image x (N x C x H x W), each through give().
  virtual Vars run(const Var& x, std::size_t count) const = 0;
  // Adds y to `out` as the next feature, a tap of its name. The network goes on with what comes back.
  Var give(Vars& out, const Var& y) const;

 private:
  Vars forward(const Vars& in) const final;

  std::vector<Feature> features_, selected_;
};

}  // namespace fovea
