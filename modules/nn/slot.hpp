// Slots: named places of a network where a recipe puts blocks, by rules of a glob each.
//   {at: "backbone.layer{3,4}.*.pre_add", type: cbam, reduction: 16, start: identity}
// Several rules on one slot run in their order. Parameters of a block live under "<slot>.<type>" ("backbone.layer3.0.pre_add.cbam.
// fc1.weight"), so that those of the network keep their names. An empty slot is the identity and costs nothing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "modules/nn/block.hpp"

namespace fovea {

struct SlotRule {
  std::string at, type;
  Args args;
  bool identity = false;  // starts as the identity: x + g (block(x) - x) with a trained g, at first 0
  std::string where;      // "recipe.yaml:12"
  int matched = 0;
};

class SlotRules {
 public:
  // What a network offered while it was built.
  struct Offer {
    std::string path, kind;  // kind: "map", "conv" or "tokens"
    std::int64_t channels = 0;
    std::vector<std::string> blocks;  // what was put there
  };

  explicit SlotRules(std::vector<SlotRule> rules) : rules_(std::move(rules)) {}

  // The rules for the slot at `path`, which is recorded as an offer.
  std::vector<SlotRule> take(const std::string& path, const std::string& kind, std::int64_t channels);
  // Error when a rule matched nothing: says what there is and what comes nearest.
  void check_all_used() const;
  const std::vector<Offer>& offers() const { return offers_; }

 private:
  std::vector<SlotRule> rules_;
  std::vector<Offer> offers_;
};

// One block in a slot, whatever its kind: tokens are made of maps and back, gates get the map twice, a block that stands for a
// convolution keeps the shape.
class Plugged {
 public:
  Plugged(const Scope& slot, std::int64_t channels, const SlotRule& rule);
  Var map(const Var& x) const;  // N x C x H x W
  Var tokens(const Var& x, std::int64_t height,
             std::int64_t width) const;  // N x (prefix + height width) x C; maps see the last height x width

 private:
  Var run_map(const Var& x) const;
  Var run_tokens(const Var& x) const;

  std::unique_ptr<Block> block_;
  bool takes_tokens_ = false, takes_gate_ = false;
  Var gain_;  // undefined unless it starts as the identity
};

// A slot on a map of `channels` channels.
class Slot {
 public:
  Slot(const Scope& scope, const std::string& name, std::int64_t channels);
  Var operator()(const Var& x) const;

 private:
  std::vector<Plugged> blocks_;
};

// A slot on tokens N x L x C of which the last height x width form a map.
class TokenSlot {
 public:
  TokenSlot(const Scope& scope, const std::string& name, std::int64_t channels);
  Var operator()(const Var& x, std::int64_t height, std::int64_t width) const;

 private:
  std::vector<Plugged> blocks_;
};

// A convolution that is a slot: "<name>" takes a block that stands for a convolution (deformable, dynamic, selective kernel)
// in its place, and other blocks behind it; "pre_<name>" takes blocks in front of it.
class ConvSlot {
 public:
  ConvSlot(const Scope& scope, const std::string& name, const Conv2d::Options& options);
  Var operator()(const Var& x) const;

 private:
  Slot before_;
  std::optional<Conv2d> conv_;  // absent when a block replaces it
  std::unique_ptr<Block> instead_;
  Var gain_;  // conv + g (block - conv), at first 0
  std::vector<Plugged> after_;
};

}  // namespace fovea
