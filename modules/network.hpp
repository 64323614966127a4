// The network that a recipe's `model:` describes: a head alone that takes the image, or backbone, neck (where the recipe has one), blocks in
// slots and head.
#pragma once

#include <memory>
#include <vector>

#include "modules/io/yaml.hpp"
#include "modules/nn/backbone.hpp"
#include "modules/nn/head.hpp"
#include "modules/nn/neck.hpp"

namespace fovea {

class Network {
 public:
  // `model`: {backbone: {type, in, features, ...}, neck: {type, ...}, attention: [{at, type, start, ...}], head: {type, ...}}; `channels`
  // of the image, unless the backbone's `in` says another number. Error with file and line.
  Network(const Yaml& model, const std::shared_ptr<ParamStore>& store, std::int64_t channels = 3);

  Vars operator()(const Var& x) const;  // head().info().given(), from N x channels() x H x W
  std::int64_t channels() const { return channels_; }
  const Backbone* backbone() const { return backbone_; }  // null without one
  const Head& head() const { return *head_; }
  const SlotRules& slots() const { return *rules_; }

 private:
  std::shared_ptr<SlotRules> rules_;
  std::int64_t channels_;
  std::vector<std::unique_ptr<Block>> parts_;  // backbone and neck, in order, and the head last
  const Backbone* backbone_ = nullptr;
  const Head* head_ = nullptr;
};

}  // namespace fovea
