// Lowers ops that only rearrange elements: to a view of memory where that is possible, else to one strided copy from where the elements
// lie, however many such ops follow each other.
#pragma once

#include <map>

#include "modules/plan/graph.hpp"

namespace fovea::plan {

class ViewLowering {
 public:
  explicit ViewLowering(Graph& g) : g_(g) {}

  // Sets the work and the inputs of `n`. False, with `n` unchanged, where an input is not in the plan's layout.
  bool lower(Node& n, const role::Reshape& r);
  bool lower(Node& n, const role::Permute& r);
  bool lower(Node& n, const role::Slice& r);
  bool lower(Node& n, const role::Expand& r);
  bool lower(Node& n, const role::Concat& r);
  bool lower(Node& n, const role::Computation& r);  // also false where the kernel does not bind
  // Lets the convolution read its input through a strided view, where kernels/single_output_conv.hpp computes it; else false.
  bool single_output_conv(Node& n, Convolve& c);
  // A node for each output; none where the input is not in the plan's layout.
  std::vector<Node> lower(const Node& n, const role::Split& r);

  // The value in the plan's layout of maps: itself, or a copy whose node is appended to `nodes`.
  Id channels_last(Id id, std::vector<Node>& nodes);
  // The value row-major, for kernels along the last of four axes: itself, or a copy whose node is appended to `nodes`.
  Id row_major(Id id, std::vector<Node>& nodes);

 private:
  struct Source {  // `view` of the memory of value `root`
    Id root;
    StridedView view;
  };
  Source source(Id id) const;
  StridedView whole(Id id) const;
  template <class Change>
  bool change(Node& n, const Change& change);
  void write(Node& n, const Source& s);
  void write(Node& n, const Source& s, const StridedCopy& copy);
  static StridedCopy to_dense(const Source& s, const Shape& shape, bool row_major);
  Id reordered(Id id, bool row_major, std::vector<Node>& nodes);

  Graph& g_;
  std::map<Id, Source> sources_;  // of values that are views of others
  std::map<std::pair<Id, bool>, Id> reordered_;
};

}  // namespace fovea::plan
