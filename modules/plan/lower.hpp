// What the nodes' lower() functions work with.
#pragma once

#include "modules/plan/graph.hpp"
#include "modules/plan/view_lowering.hpp"

namespace fovea::plan {

// Replaces Eager nodes by those that the roles of their ops stand for.
class Lowerer {
 public:
  explicit Lowerer(Graph& g) : graph(g), views(g) {}
  void run();

  const Shape& shape(const Node& n, std::size_t input) const { return graph.shape(n.inputs[input]); }
  bool constant(const Node& n, std::size_t input) const { return graph.constant(n.inputs[input]); }
  // Whether the input is computed by the plan, in the plan's layout.
  bool planned(const Node& n, std::size_t input) const;
  // Replaces inputs that are row-major though of rank 4 by copies in the plan's layout of maps.
  void channels_last(Node& n);
  // Tries `lower` on a node that reads row-major copies of its inputs of rank 4, and makes it `n` where that fits.
  bool on_row_major(Node& n, const std::function<bool(Node&)>& lower);
  // Appends a node, to run before the one that is being lowered.
  void add(Node n);

  Graph& graph;
  ViewLowering views;

 private:
  std::vector<Node> nodes_;
};

// Whether a value is a map, (N, C, H, W), that is not empty.
inline bool is_map(const Shape& s) { return s.rank() == 4 && s.elements() > 0; }

}  // namespace fovea::plan
