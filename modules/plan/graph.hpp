// The small mutable graph that passes work on. Nodes stand in an order in which they can run; a value has one producer. A value is
// f32, or bf16 where its type says so, in the plan's layout (maps dense channels-last, the rest dense row-major) when a lowered node
// made it; what an op's own forward made comes as it comes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "modules/autograd/apply.hpp"
#include "modules/plan/plan.hpp"
#include "modules/plan/strided.hpp"

namespace fovea::plan {

using Id = int;  // of a value; -1 for an input that is absent

// One step of a chain that runs over a map in cache: a function of one value, or of it and an operand (an index into the node's
// inputs). An affine link, x * scale + shift for each channel, has two operands: constants in f64. A spread link stands first: the
// chain's value, smaller than its result, is repeated along the axes that it lacks. Between an aside link, whose operand has the full
// shape, and a back link lies a chain on a second value, that operand; the back link's function joins it to the first.
struct Link {
  enum class Kind : std::uint8_t { pointwise, binary, affine, spread, aside, back } kind;
  role::Pointwise pointwise{};
  role::Binary binary{};
  std::size_t operand = 0, shift = 0;
};
using Links = std::vector<Link>;
constexpr std::size_t kMaxOperands = 64;  // of one chain, its value included

// What a node does. `links` of channel statistics run on x before it is reduced.
struct Eager {
  std::shared_ptr<const Op> op;
};
struct Convolve {  // inputs: x, weight, bias, residual; the bias may be f64
  dnn::Conv options;
  bool dense = false;                         // a linear layer over the last axis of x, weight O x I
  std::optional<role::Pointwise> after = {};  // behind the sum with the residual
  // By the kernel for few planes (kernels/planes.hpp), which reads x as a view of the input: of that shape, one step for each axis,
  // from an element on. `turned`: y lies column by column.
  struct FewPlanes {
    Shape x, steps;
    std::int64_t from;
    bool turned = false;
  };
  std::optional<FewPlanes> planes = {};
};
struct Sweep {  // inputs: x, operands; without links a copy of x in the type of its output
  Links links;
};
struct GlobalStatistics {};  // outputs: mean, maximum, of which -1 is not wanted
struct ChannelStatistics {   // inputs: x, operands
  bool mean_first;
  Links links;
};
struct LineStatistics {  // outputs: as `lines` name them
  std::vector<role::Line> lines;
};
struct Window {
  role::Pool pool;
};
struct View {  // the input's memory from an element on
  std::int64_t offset = 0;
};
struct Copy {  // output: pieces of the inputs
  struct Piece {
    std::size_t input;
    Move move;
  };
  std::vector<Piece> pieces;
};
struct Compute {
  role::Computation::Bound bound;
  std::vector<std::int64_t> offsets;  // of the first element of each input
  bool rows = false;                  // takes constants of rank 4 row-major
};
using Work =
    std::variant<Eager, Convolve, Sweep, GlobalStatistics, ChannelStatistics, LineStatistics, Window, View, Copy, Compute>;

struct Node {
  Work work;
  std::vector<Id> inputs, outputs;
  std::string path;              // of the module that it came from
  std::vector<std::string> ops;  // that it stands for, in their order
  std::int64_t multiply_adds = 0;
  bool dead = false;
};

// A value that depends on parameters alone. A source is read where it lies; others are made again when a source has changed. `key`
// names what `make` does and all that it depends on besides its inputs: what has one is shared between plans.
struct Recipe {
  Tensor source;
  std::vector<Id> inputs;
  std::function<Tensor(const Tensors&)> make;
  std::string key = {};
};

struct Value {
  Shape shape;
  std::shared_ptr<const Recipe> constant = {};
  bool kept = false;   // somebody outside asks for it as it is
  bool known = false;  // in the plan's layout
  bool rows = false;   // dense row-major though of rank 4: heads and scores of attention
  DType type = DType::f32;
};

struct Kept {
  std::string name;
  Id value;
};

struct Mutable {
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<Id> inputs, outputs;
  std::vector<Kept> taps;

  Value& value(Id id) { return values[static_cast<std::size_t>(id)]; }
  const Value& value(Id id) const { return values[static_cast<std::size_t>(id)]; }
  const Shape& shape(Id id) const { return value(id).shape; }
  bool constant(Id id) const { return id < 0 || value(id).constant != nullptr; }

  Node* producer(Id id);                // null for inputs and constants
  std::vector<Node*> users(Id id);      // a node that reads it twice comes once
  bool only_for(Id id, const Node& n);  // nobody but n reads it
  Id add(const Shape& shape);
  Id add_constant(const Shape& shape, std::vector<Id> inputs, std::function<Tensor(const Tensors&)> make, std::string key = {});
  Id add_source(const Tensor& t);
  void sweep_dead();  // takes dead nodes out
};

template <class T>
T* as(Node* node) {
  return node && !node->dead ? std::get_if<T>(&node->work) : nullptr;
}

// Runs `forward` on shapes alone, with the taps that are kept as further outputs and those that are fed as further inputs.
Mutable import_trace(const std::function<Vars(const Vars&)>& forward, const Shapes& inputs, const Options& options);

// Gives a role to every node whose op offers one that fits its shapes and inputs.
void lower(Mutable& g);

}  // namespace fovea::plan
