// What a kind of node says about itself. Each kind is a struct in nodes/ that derives from Work, hides the members that differ from the
// defaults below, and is listed in NodeWork (graph.hpp). Besides these a kind has
//   static bool lower(Lowerer& l, Node& n, const role::X& r);            for each role that becomes this kind: sets the work of `n`, or
//                                                                        returns false where the role does not fit (lower.hpp)
//   std::unique_ptr<Step> emit(const Node& n, Emitter& e) const;         the step that runs it; null where nothing has to run (emit.hpp)
// Passes call them through Node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "modules/autograd/lowering.hpp"

namespace fovea::plan {

using Id = int;  // index of a value in Graph::values; -1 for an input that is absent or an output that is not wanted

class Emitter;
class Lowerer;
class Step;
struct ElementwiseOp;
struct Graph;
struct Node;

struct Work {
  // Whether input i may be bf16, and whether it must be, with the outputs of the types that they have.
  bool reads_bf16(const Graph&, const Node&, std::size_t) const { return false; }
  bool needs_bf16(const Graph&, const Node&, std::size_t) const { return false; }
  bool writes_bf16(const Graph&, const Node&) const { return false; }
  // Switches to f32 if there is no fast kernel for the types that the values have; returns whether it did.
  bool leave_bf16(const Graph&, const Node&) { return false; }

  // The outputs are tensors outside the arena.
  bool allocates() const { return false; }
  // The output is the memory of input 0 from this element on.
  std::optional<std::int64_t> view_offset() const { return std::nullopt; }
  // The input in whose memory the output may be written if no later step reads that; -1 for none.
  Id in_place_input(const Node&) const { return -1; }
  // Whether the kernel can do that. Asked only where it would be done.
  bool can_run_in_place(const Graph&, const Node&) const { return false; }
  // `in_place`: the output is written over in_place_input().
  std::size_t workspace_bytes(const Graph&, const Node&, bool /*in_place*/) const { return 0; }

  // The elementwise ops that run on input 0 before anything else, for passes that put further ones in front; null where it takes none.
  std::vector<ElementwiseOp>* prologue(const Graph&, const Node&) { return nullptr; }
};

}  // namespace fovea::plan
