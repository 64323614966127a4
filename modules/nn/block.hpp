// Block: what can be plugged into a network by name. Takes and gives several values; MapBlock is the one-map case.
#pragma once

#include "modules/autograd/tap.hpp"
#include "modules/nn/args.hpp"
#include "modules/nn/layers.hpp"

namespace fovea {

class Block {
 public:
  explicit Block(const Scope& scope) : path_(scope.path()) {}
  virtual ~Block() = default;
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  // Runs the block with its path in force, so that errors and taps carry its name.
  Vars operator()(const Vars& in) const {
    PathScope where(path_);
    return forward(in);
  }
  Var operator()(const Var& x) const { return (*this)(Vars{x}).front(); }

 protected:
  virtual Vars forward(const Vars& in) const = 0;
  // A tap of this block, wherever the path stands now.
  Var tap(std::string_view name, const Var& v) const {
    PathScope where(path_);
    return fovea::tap(name, v);
  }
  // Whether anybody asks for that tap of this block.
  bool wants_tap(std::string_view name) const {
    PathScope where(path_);
    return fovea::wants_tap(name);
  }

 private:
  std::string path_;
};

class MapBlock : public Block {
 public:
  using Block::Block;

 protected:
  virtual Var forward(const Var& x) const = 0;

 private:
  Vars forward(const Vars& in) const final {
    check(in.size() == 1, "expected one map, got ", in.size(), " values");
    return {forward(in[0])};
  }
};

}  // namespace fovea
