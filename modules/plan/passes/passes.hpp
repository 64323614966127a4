// The passes over a plan's graph, one a file, in the order in which compile() runs them.
#pragma once

#include "modules/plan/graph.hpp"

namespace fovea::plan {

void drop_dead(Mutable& g);
void fold_constants(Mutable& g);
// lower() runs here (graph.hpp).
void fold_norms(Mutable& g);
void sink_views(Mutable& g);
void join_statistics(Mutable& g);
void fuse_convolutions(Mutable& g);
void split_transposed(Mutable& g);
void turn_planes(Mutable& g);
void fuse_chains(Mutable& g);
void repeat_gates(Mutable& g);
void assign_precision(Mutable& g);  // where bf16 is asked for

// Tries a rule on every node until it changes none any more, then takes out what died.
template <class Rule>
void until_still(Mutable& g, const Rule& rule) {
  for (bool changed = true; changed;) {
    changed = false;
    for (Node& n : g.nodes) changed |= !n.dead && rule(g, n);
  }
  g.sweep_dead();
}

// Puts `first`'s operations in front of `second`'s, for the plan's listing and its arithmetic.
void credit(Node& second, const Node& first);
// Makes the operand of a chain's first link its value and the value the operand, where both have the full shape. False where not.
bool turn_round(const Mutable& g, Node& sweep);
// Whether two chains may be one: values of one size, and together few enough operands.
bool joins(const Node& first, const Node& second);
// Puts the chain of `first` (whose output is `second`'s x) in front of `links`, which are `second`'s.
void prepend(const Node& first, Node& second, Links& links);

}  // namespace fovea::plan
