// The passes over a plan's graph, one in each file, in the order in which compile() runs them.
#pragma once

#include "modules/plan/graph.hpp"

namespace fovea::plan {

void drop_dead(Graph& g);
void fold_constants(Graph& g);
// lower() (graph.hpp), then drop_dead() again
void fold_norms(Graph& g);
void sink_reshapes(Graph& g);
void fuse_reductions(Graph& g);
void fuse_convolutions(Graph& g);
void split_transposed(Graph& g);
void fold_transposes(Graph& g);
void fuse_elementwise(Graph& g);
void rematerialize_gates(Graph& g);
// fuse_elementwise() and drop_dead() again
void assign_precision(Graph& g);  // only for bf16
// Sets Convolve::algorithm; `tune` as in Options.
void choose_algorithms(Graph& g, bool tune);

// Applies a rule, bool(Graph&, Node&), to every live node until it changes none, then removes dead nodes.
template <class Rule>
void until_fixpoint(Graph& g, const Rule& rule) {
  for (bool changed = true; changed;) {
    changed = false;
    for (Node& n : g.nodes) changed |= !n.dead && rule(g, n);
  }
  g.remove_dead();
}

// Adds the op names, the multiply-adds and the path of `first` to `second`, into which it was fused.
void merge_info(Node& second, const Node& first);
// Swaps input 0 of a fused elementwise node with the operand of its first op, where that is binary and both have the full shape. Returns
// whether it did.
bool swap_operands(const Graph& g, Node& n);
// Whether the ops of `first` may be put in front of those of `second`: `second` does not start with a broadcast, and together they have at
// most kMaxOperands inputs.
bool can_fuse(const Node& first, const Node& second);
// Puts the ops of the fused elementwise node `first`, whose output is input 0 of `second`, in front of `ops`, which are those of `second`.
void prepend_ops(const Node& first, Node& second, ElementwiseOps& ops);

}  // namespace fovea::plan
