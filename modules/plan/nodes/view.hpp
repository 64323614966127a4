// The memory of the input from an element on, under another shape.
#pragma once

#include "modules/plan/work.hpp"

namespace fovea::plan {

struct View : Work {
  std::int64_t offset = 0;

  explicit View(std::int64_t first = 0) : offset(first) {}
  // These give a Copy where the result cannot be a view; the parts of a Split are a node each.
  static bool lower(Lowerer& l, Node& n, const role::Reshape& r);
  static bool lower(Lowerer& l, Node& n, const role::Permute& r);
  static bool lower(Lowerer& l, Node& n, const role::Slice& r);
  static bool lower(Lowerer& l, Node& n, const role::Expand& r);
  static bool lower(Lowerer& l, Node& n, const role::Split& r);
  bool reads_bf16(const Graph& g, const Node& n, std::size_t input) const;  // input and output have one type
  bool writes_bf16(const Graph& g, const Node& n) const;
  std::optional<std::int64_t> view_offset() const { return offset; }
  std::unique_ptr<Step> emit(const Node&, Emitter&) const;  // null
};

}  // namespace fovea::plan
