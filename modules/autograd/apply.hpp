// The one door to running an op, and the thread-local modes that decide what running means.
//   eager    run it; record it on the tape when a gradient is wanted
//   trace    infer shapes only and append to a Trace
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

// What a trace records. A value is named by its index, in order of appearance.
struct TraceNode {
  std::shared_ptr<const Op> op;
  std::vector<int> inputs;  // -1 where absent
  std::vector<int> outputs;
  std::string path;  // of the module that called the op
};
struct TraceValue {
  Shape shape;
  Tensor constant;  // defined for values that exist before the trace, such as parameters
};
struct Trace {
  std::vector<TraceValue> values;
  std::vector<TraceNode> nodes;
  std::vector<int> inputs, outputs;  // of the traced function
  std::int64_t multiply_adds() const;
};

// Runs `forward` on shapes alone. Reading a value inside is an error that names the module.
template <class Forward>
Trace trace(const Shapes& inputs, const Forward& forward);

class TraceScope {
 public:
  explicit TraceScope(Trace& trace);
  ~TraceScope();
  Var input(const Shape& shape);
  int index_of(const Var& v);
  Vars record(std::shared_ptr<const Op> op, const Vars& inputs, const Shapes& out);

 private:
  Var append(const Shape& shape);

  TraceScope* previous_;
  Trace& trace_;
  std::map<std::shared_ptr<VarState>, int> constants_;
};

template <class Forward>
Trace trace(const Shapes& inputs, const Forward& forward) {
  Trace recorded;
  TraceScope scope(recorded);
  Vars in;
  for (const Shape& s : inputs) in.push_back(scope.input(s));
  for (const Var& out : forward(in)) recorded.outputs.push_back(scope.index_of(out));
  return recorded;
}

}  // namespace fovea
