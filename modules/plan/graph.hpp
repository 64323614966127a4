// The graph of a network on which the passes of the compiler work. Nodes are in an order in which they can run; each value has one
// producer. What a lowered node makes is f32, or bf16 where Value::type says so, in the plan's layout: maps (rank 4) dense channels-last,
// everything else dense row-major. What an op's own forward makes has any layout.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "modules/autograd/apply.hpp"
#include "modules/plan/nodes/axis_reduce.hpp"
#include "modules/plan/nodes/channel_reduce.hpp"
#include "modules/plan/nodes/compute.hpp"
#include "modules/plan/nodes/convolve.hpp"
#include "modules/plan/nodes/copy.hpp"
#include "modules/plan/nodes/eager.hpp"
#include "modules/plan/nodes/fused_elementwise.hpp"
#include "modules/plan/nodes/global_reduce.hpp"
#include "modules/plan/nodes/pool2d.hpp"
#include "modules/plan/nodes/view.hpp"
#include "modules/plan/plan.hpp"

namespace fovea::plan {

// The kinds of nodes. A new one is a struct in nodes/ (work.hpp says what it has) and an entry here.
using NodeWork =
    std::variant<Eager, Convolve, FusedElementwise, GlobalReduce, ChannelReduce, AxisReduce, Pool2d, View, Copy, Compute>;

struct Node {
  NodeWork work;
  std::vector<Id> inputs, outputs;
  std::string path;                   // of the module that it came from
  std::vector<std::string> op_names;  // of the traced ops that it computes, in their order
  std::int64_t multiply_adds = 0;
  bool dead = false;  // to be removed by Graph::remove_dead()

  // The properties of its kind (work.hpp).
  bool reads_bf16(const Graph& g, std::size_t input) const;
  bool needs_bf16(const Graph& g, std::size_t input) const;
  bool writes_bf16(const Graph& g) const;
  bool leave_bf16(const Graph& g);
  bool allocates() const;
  std::optional<std::int64_t> view_offset() const;
  Id in_place_input() const;
  bool can_run_in_place(const Graph& g) const;
  std::size_t workspace_bytes(const Graph& g, bool in_place) const;
  ElementwiseOps* prologue(const Graph& g);
};

// How to compute a value that depends on parameters alone: either `source` is a parameter, read where it lies, or `make` computes the
// value from `inputs` again whenever a parameter has changed. `key` names `make` and everything that it depends on besides its inputs;
// values with a key are shared between plans.
struct ConstantExpr {
  Tensor source;
  std::vector<Id> inputs;
  std::function<Tensor(const Tensors&)> make;
  std::string key = {};
};

struct Value {
  Shape shape;
  std::shared_ptr<const ConstantExpr> constant = {};  // null for what a run computes
  bool kept = false;                                  // an output or a kept tap: it must exist as it is
  bool planned = false;                               // in the plan's layout: an input, or made by a lowered node
  bool row_major = false;                             // of rank 4, but dense row-major: attention heads and scores
  DType type = DType::f32;
};

struct Kept {
  std::string name;
  Id value;
};

struct Graph {
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<Id> inputs, outputs;
  std::vector<Kept> taps;

  Value& value(Id id) { return values[static_cast<std::size_t>(id)]; }
  const Value& value(Id id) const { return values[static_cast<std::size_t>(id)]; }
  const Shape& shape(Id id) const { return value(id).shape; }
  bool constant(Id id) const { return id < 0 || value(id).constant != nullptr; }

  Node* producer(Id id);                // null for inputs and constants
  std::vector<Node*> users(Id id);      // each node once
  bool only_for(Id id, const Node& n);  // n is the only reader, reads it once, and it is not kept
  Id add(const Shape& shape);           // a value that the plan computes
  Id add_constant(const Shape& shape, std::vector<Id> inputs, std::function<Tensor(const Tensors&)> make, std::string key = {});
  Id add_source(const Tensor& t);  // a parameter
  void remove_dead();
};

// The work of a live node if it is a T; else, and for null, null.
template <class T>
T* as(Node* node) {
  return node && !node->dead ? std::get_if<T>(&node->work) : nullptr;
}

// Whether bf16 is worth while for a value of this shape: a map or tokens with several positions and more than 4 channels.
bool is_large(const Shape& s);

// Traces `forward` on shapes alone. Taps that match Options::keep become Graph::taps, those in Options::feeds further inputs. All nodes
// are Eager.
Graph import_trace(const std::function<Vars(const Vars&)>& forward, const Shapes& inputs, const Options& options);

// Replaces Eager by the work that the op's role stands for, where the role fits the node's shapes and inputs.
void lower(Graph& g);

}  // namespace fovea::plan
