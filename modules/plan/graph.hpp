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
#include "modules/plan/plan.hpp"
#include "modules/plan/strided_view.hpp"

namespace fovea::plan {

using Id = int;  // index of a value in Graph::values; -1 for an input that is absent or an output that is not wanted

// One operation of a fused elementwise kernel. It works on a current value, which starts as the node's input 0, and on operands, which
// are indices into the node's inputs and broadcast to the shape of the output.
struct ElementwiseOp {
  enum class Kind : std::uint8_t {
    pointwise,  // value = f(value)
    binary,     // value = f(value, operand)
    affine,     // value = value * operand + shift, one of each for each channel, f64 constants
    broadcast,  // only as the first: value = input 0 broadcast to the shape of the output
    push,       // puts the value on a stack of depth one; value = operand, which has the shape of the output
    pop         // value = f(popped value, value)
  } kind;
  role::Pointwise pointwise{};
  role::Binary binary{};  // of binary and pop
  std::size_t operand = 0, shift = 0;
};
using ElementwiseOps = std::vector<ElementwiseOp>;
constexpr std::size_t kMaxOperands = 64;  // inputs of one fused elementwise node

// The kinds of nodes. Inputs and outputs are those of the node, in this order.
struct Eager {  // an op without a role, or whose role does not fit here: its own forward
  std::shared_ptr<const Op> op;
};
struct Convolve {  // x, weight, bias, residual -> y = after(conv(x) + bias + residual); the bias may be f64
  dnn::Conv options;
  bool linear = false;                        // a fully connected layer over the last axis of x, weight (O, I)
  std::optional<role::Pointwise> after = {};  // activation
  // Set for kernels/single_output_conv.hpp, which reads x as a strided view of the node's input 0: shape, strides and first element.
  struct SingleOutput {
    Shape x, strides;
    std::int64_t offset;
    bool transposed = false;  // y is written column by column
  };
  std::optional<SingleOutput> single_output = {};
};
struct FusedElementwise {  // x, operands -> y; without ops a copy of x in the type of y
  ElementwiseOps ops;
};
struct GlobalReduce {};  // x (N, C, H, W) -> mean (N, C, 1, 1), maximum (N, C, 1, 1); one of them may be -1
struct ChannelReduce {   // x (N, C, H, W), operands -> maximum and mean over the channels of x after `ops`: (N, 2, H, W)
  bool mean_first;
  ElementwiseOps ops;
};
struct AxisReduce {  // x (N, C, H, W) -> one output for each of `axes`
  std::vector<role::ReducedAxis> axes;
};
struct Pool2d {  // x (N, C, H, W) -> (N, C, OH, OW)
  role::Pool2d pool;
};
struct View {  // x -> y, which is the memory of x from an element on
  std::int64_t offset = 0;
};
struct Copy {  // inputs -> y, which is filled by strided copies of parts of them
  struct Piece {
    std::size_t input;
    StridedCopy copy;
  };
  std::vector<Piece> pieces;
};
struct Compute {  // an op's kernel, bound to the shapes and strides of the inputs
  role::Computation::Bound bound;
  std::vector<std::int64_t> offsets;  // of the first element of each input
  bool row_major = false;             // takes constants of rank 4 row-major
};
using Work =
    std::variant<Eager, Convolve, FusedElementwise, GlobalReduce, ChannelReduce, AxisReduce, Pool2d, View, Copy, Compute>;

struct Node {
  Work work;
  std::vector<Id> inputs, outputs;
  std::string path;                   // of the module that it came from
  std::vector<std::string> op_names;  // of the traced ops that it computes, in their order
  std::int64_t multiply_adds = 0;
  bool dead = false;  // to be removed by Graph::remove_dead()
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

// Traces `forward` on shapes alone. Taps that match Options::keep become Graph::taps, those in Options::feeds further inputs. All nodes
// are Eager.
Graph import_trace(const std::function<Vars(const Vars&)>& forward, const Shapes& inputs, const Options& options);

// Replaces Eager by the work that the op's role stands for, where the role fits the node's shapes and inputs.
void lower(Graph& g);

}  // namespace fovea::plan
