// Elementwise operations that read and write memory once. Inputs: x and the operands. Without ops it converts x to the type of its output.
#pragma once

#include "modules/plan/nodes/elementwise_op.hpp"

namespace fovea::plan {

struct FusedElementwise : Work {
  ElementwiseOps ops;

  explicit FusedElementwise(ElementwiseOps o = {}) : ops(std::move(o)) {}
  static bool lower(Lowerer& l, Node& n, const role::Pointwise& r);
  static bool lower(Lowerer& l, Node& n, const role::Binary& r);
  static bool lower(Lowerer& l, Node& n, const role::Affine& r);
  bool reads_bf16(const Graph& g, const Node& n, std::size_t input) const;  // an input of the shape of the output
  bool writes_bf16(const Graph&, const Node&) const { return true; }
  Id in_place_input(const Node& n) const;
  bool can_run_in_place(const Graph& g, const Node& n) const;
  ElementwiseOps* prologue(const Graph&, const Node&) { return &ops; }
  std::unique_ptr<Step> emit(const Node& n, Emitter& e) const;
};

}  // namespace fovea::plan
