// The network that a recipe's `model:` describes: a head alone, or backbone, blocks in slots and head.
#pragma once

#include <memory>
#include <vector>

#include "modules/io/yaml.hpp"
#include "modules/nn/backbone.hpp"

namespace fovea {

class Network {
 public:
  // `model`: {backbone: {type, features, ...}, attention: [{at, type, start, ...}], head: {type, ...}}; Error with file and line.
  Network(const Yaml& model, const std::shared_ptr<ParamStore>& store);

  Var operator()(const Var& x) const;
  const Backbone* backbone() const { return backbone_; }  // null without one
  const Block& head() const { return *head_; }
  const SlotRules& slots() const { return *rules_; }

 private:
  std::shared_ptr<SlotRules> rules_;
  std::unique_ptr<Block> owner_;  // of the backbone
  const Backbone* backbone_ = nullptr;
  std::unique_ptr<Block> head_;
};

}  // namespace fovea
