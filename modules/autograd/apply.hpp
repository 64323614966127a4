// The one door to running an op, and the thread-local modes that decide what running means.
//   eager    run it; record it on the tape when a gradient is wanted
//   trace    infer shapes only and append to a Graph
#pragma once

#include <map>
#include <memory>
#include <string>

#include "modules/autograd/var.hpp"

namespace fovea {

Vars apply_op(std::shared_ptr<const Op> op, const Vars& inputs);

template <class T>
Vars apply_all(T op, const Vars& inputs) {
  return apply_op(std::make_shared<OpModel<T>>(std::move(op)), inputs);
}

// For the usual op with one output.
template <class T>
Var apply(T op, const Vars& inputs) {
  return apply_all(std::move(op), inputs).front();
}

// No tape while alive: nothing is saved.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  static bool active();

 private:
  bool previous_;
};

// While alive no parameter wants a gradient on this thread: for gradients of the input alone. Several threads may share a network so.
class FrozenParameters {
 public:
  FrozenParameters();
  ~FrozenParameters();
  FrozenParameters(const FrozenParameters&) = delete;
  FrozenParameters& operator=(const FrozenParameters&) = delete;

 private:
  bool previous_;
};

// What contractions on this thread compute in: f32 (the default) or bf16.
class Precision {
 public:
  explicit Precision(DType compute);
  ~Precision();
  static DType current();

 private:
  DType previous_;
};

// "f32", "bf16" or "auto" (bf16 only where the processor multiplies matrices in it: AMX). Refuses bf16 by name on a processor
// without avx512_core; `warning` is set where it works but without instructions of its own (AMX or AVX512_BF16).
DType parse_precision(const std::string& text, std::string* warning = nullptr);

// What a trace records: values are numbered in order of appearance.
struct GraphNode {
  std::shared_ptr<const Op> op;
  std::vector<int> inputs;  // -1 where absent
  std::vector<int> outputs;
  std::string path;
};
struct GraphValue {
  Shape shape;
  Tensor constant;  // defined for values that exist before the trace, such as parameters
};
struct Graph {
  std::vector<GraphValue> values;
  std::vector<GraphNode> nodes;
  std::vector<int> inputs, outputs;
  std::int64_t multiply_adds() const;
};

// Runs `forward` on shapes alone. Reading a value inside is an error that names the module.
template <class Forward>
Graph trace(const Shapes& inputs, const Forward& forward);

class TraceScope {
 public:
  explicit TraceScope(Graph& graph);
  ~TraceScope();
  Var input(const Shape& shape);
  int index_of(const Var& v);
  Vars record(std::shared_ptr<const Op> op, const Vars& inputs, const Shapes& out);

 private:
  Var append(const Shape& shape);

  TraceScope* previous_;
  Graph& graph_;
  std::map<std::shared_ptr<VarState>, int> constants_;
};

template <class Forward>
Graph trace(const Shapes& inputs, const Forward& forward) {
  Graph graph;
  TraceScope scope(graph);
  Vars in;
  for (const Shape& s : inputs) in.push_back(scope.input(s));
  for (const Var& out : forward(in)) graph.outputs.push_back(scope.index_of(out));
  return graph;
}

}  // namespace fovea
