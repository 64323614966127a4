// Memory planning: the values of a plan lie in one arena, in which values that are not alive at the same time share memory.
#pragma once

#include <cstddef>
#include <vector>

#include "modules/plan/graph.hpp"

namespace fovea::plan {

// A part of the arena that is in use from step `first` to step `last`, both included.
struct Allocation {
  std::size_t bytes = 0;
  int first = 0, last = 0;
  std::size_t offset = 0;  // in bytes, a multiple of 64
};

// Sets the offsets so that allocations that are in use together do not overlap; returns the size of the arena in bytes. Greedy: the
// largest first, each into the smallest gap that is free while it is in use.
std::size_t assign_offsets(std::vector<Allocation>& allocations);

// Which values share an allocation, and how long each is in use. Step i is node i.
class Lifetimes {
 public:
  explicit Lifetimes(const Graph& g);
  // Index of the allocation that holds a value; -1 for values outside the arena: inputs, constants, and what an op's own forward makes.
  int allocation(Id id) const { return allocations_[static_cast<std::size_t>(id)]; }
  // Where in its allocation a value begins, in bytes: the parts of a concatenation lie in that of the whole.
  std::size_t offset(Id id) const { return offsets_[static_cast<std::size_t>(id)]; }
  // Whether the node writes its output over its input `id`.
  bool overwrites(const Node& n, Id id) const;
  std::vector<Allocation> list() const { return list_; }
  std::size_t bytes_without_sharing() const { return naive_; }

 private:
  void allocate(const Graph& g);
  void place_parts(const Graph& g);
  bool can_be_part(const Graph& g, const Node& n, const Copy::Piece& piece) const;
  void extend(const Graph& g);
  void overwrite_inputs(const Graph& g);
  bool fills_allocation(const Graph& g, Id id) const;
  void merge(int from, int to, std::size_t offset);
  bool dies(const Graph& g, const Node& n, int step, Id id) const;

  std::vector<int> allocations_;
  std::vector<std::size_t> offsets_;
  std::vector<Allocation> list_;
  std::vector<std::vector<Id>> borrowed_;  // for each value: arena values that it may be a view of
  std::size_t naive_ = 0;
};

}  // namespace fovea::plan
