// Where the values of a plan lie: one arena, in which values that are never alive together share memory.
#pragma once

#include <cstddef>
#include <vector>

#include "modules/plan/graph.hpp"

namespace fovea::plan {

struct Block {
  std::size_t bytes = 0;
  int first = 0, last = 0;  // the steps, both included, during which it is alive
  std::size_t offset = 0;
};

// Gives every block its offset, a multiple of 64, and returns the arena's size: greedy, the largest block first, each into the smallest
// gap that is free during its life.
std::size_t place(std::vector<Block>& blocks);

// Which values share a block, and how long each block lives. Step i is node i.
class Lifetimes {
 public:
  // `in_place`: whether a convolution can add to the residual where it lies, a chain write over a value that it reads more than once.
  Lifetimes(const Mutable& g, const std::function<bool(const Node&)>& in_place);
  // The block of a value; -1 for what lies elsewhere: inputs, constants, and what an op's own forward made.
  int block(Id id) const { return blocks_[static_cast<std::size_t>(id)]; }
  // Where in its block a value begins, in bytes: parts of a value lie in it, one behind the other.
  std::size_t offset(Id id) const { return offsets_[static_cast<std::size_t>(id)]; }
  // Whether node `i` writes its output over `id`, which dies there.
  bool over(const Node& n, Id id) const;
  std::vector<Block> blocks() const { return list_; }
  std::size_t bytes_without_sharing() const { return naive_; }

 private:
  void make_blocks(const Mutable& g);
  void make_parts(const Mutable& g);
  bool can_be_part(const Mutable& g, const Node& n, const Copy::Piece& piece) const;
  void extend(const Mutable& g);
  void overwrite(const Mutable& g, const std::function<bool(const Node&)>& in_place);
  bool alone(const Mutable& g, Id id) const;  // it fills its block
  void join(const Mutable& g, const Node& n, Id id);
  void move(int from, int to, std::size_t offset);
  bool dies(const Mutable& g, const Node& n, int step, Id id) const;

  std::vector<int> blocks_;
  std::vector<std::size_t> offsets_;
  std::vector<Block> list_;
  std::vector<std::vector<Id>> borrowed_;  // of each value: arena values that it may be a view of
  std::size_t naive_ = 0;
};

}  // namespace fovea::plan
