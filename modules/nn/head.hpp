// Head: the last part of a network. It takes the features that the backbone or the neck gives, or the image itself where it is a whole
// network, and says what it is: the task that its outputs are for, the classes, and every output by name.
#pragma once

#include <string>
#include <vector>

#include "modules/core/named.hpp"
#include "modules/nn/block.hpp"
#include "modules/nn/feature.hpp"

namespace fovea {

using NamedVars = Named<Var>;

// One axis of an output in terms of the input N x C x H x W.
struct OutputAxis {
  enum class Of : std::uint8_t { constant, batch, height, width };
  Of of = Of::constant;
  std::int64_t times = 1, per = 1;  // constant: `times`; height, width: ceil(H / per) * times

  static OutputAxis batch() { return {Of::batch}; }
  static OutputAxis constant(std::int64_t n) { return {Of::constant, n}; }
  static OutputAxis height(std::int64_t times = 1, std::int64_t per = 1) { return {Of::height, times, per}; }
  static OutputAxis width(std::int64_t times = 1, std::int64_t per = 1) { return {Of::width, times, per}; }
};

struct OutputInfo {
  std::string name;  // "logits": what tasks, taps and files of other formats call it
  std::string kind;  // what the numbers mean: "class logits", "label logits", "image", ...
  std::vector<OutputAxis> axes;

  Shape shape(const Shape& input) const;  // for an input N x C x H x W
};

struct HeadInfo {
  std::string task;                  // which task the outputs are for: the name of a folder of pipeline/tasks
  std::vector<std::string> classes;  // empty where there are none
  std::vector<OutputInfo> outputs;   // at least one, the main one first
  bool any_size = false;             // takes images as they are, 0..1, where the recipe says nothing of preprocessing
  std::vector<OutputInfo> training_outputs = {};  // given behind the others while the network is trained, for its loss alone

  // What the network gives on this thread at this moment (nn/training.hpp).
  std::vector<OutputInfo> given() const;
};

class Head : public Block {
 public:
  const HeadInfo& info() const { return info_; }

 protected:
  Head(const Scope& scope, HeadInfo info) : Block(scope), info_(std::move(info)) {}
  // All of info().given(), in that order, from the features that the head was made for.
  Vars forward(const Vars& features) const override = 0;

 private:
  HeadInfo info_;
};

// A head with one output that looks at the deepest feature alone.
class MapHead : public Head {
 protected:
  using Head::Head;
  virtual Var forward(const Var& x) const = 0;

 private:
  Vars forward(const Vars& features) const final {
    check(!features.empty(), "expected a feature, got none");
    return {forward(features.back())};
  }
};

// The option `classes` of a head: a list of names; one number stands for that many nameless classes. Error for fewer than `least`.
std::vector<std::string> read_classes(Args& args, std::size_t least);

}  // namespace fovea
