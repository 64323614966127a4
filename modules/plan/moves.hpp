// What ops that only move elements become: views of memory where that is possible, else one copy each from where the elements lie.
#pragma once

#include <map>

#include "modules/plan/graph.hpp"

namespace fovea::plan {

class Moves {
 public:
  explicit Moves(Mutable& g) : g_(g) {}

  // Gives `n` its work and its inputs; false where its input is not as the plan keeps it.
  bool lower(Node& n, const role::View& r);
  bool lower(Node& n, const role::Permute& r);
  bool lower(Node& n, const role::Slice& r);
  bool lower(Node& n, const role::Expand& r);
  bool lower(Node& n, const role::Concat& r);
  bool lower(Node& n, const role::Computation& r);
  // Makes the convolution read its few planes where they lie; false where the kernel for them does not fit.
  bool few_planes(Node& n, Convolve& c);
  // One node for each output.
  std::vector<Node> lower(const Node& n, const role::Split& r);

  // A value as the plan keeps it: itself, or a copy by a node that goes to `nodes`.
  Id dense(Id id, std::vector<Node>& nodes);
  // The same row by row, for what works along the last axis of four.
  Id by_rows(Id id, std::vector<Node>& nodes);

 private:
  struct Source {
    Id root;
    Strided view;
  };
  Source source(Id id) const;
  Strided whole(Id id) const;
  template <class Change>
  bool change(Node& n, const Change& change);
  void write(Node& n, const Source& s);
  void write(Node& n, const Source& s, const Move& move);
  static Move to_dense(const Source& s, const Shape& shape, bool rows);
  Id reordered(Id id, bool rows, std::vector<Node>& nodes);

  Mutable& g_;
  std::map<Id, Source> sources_;  // of what is a view of something else
  std::map<std::pair<Id, bool>, Id> reordered_;
};

}  // namespace fovea::plan
