// Var: a value that may carry a gradient. Copies share both.
#pragma once

#include <memory>
#include <vector>

#include "modules/autograd/op.hpp"
#include "modules/core/tensor.hpp"

namespace fovea {

struct TapeNode;

struct VarState {
  Tensor value;  // undefined while tracing
  Shape shape;
  Tensor grad;  // after backward(): of leaves, and of what retain_grad() was called for
  bool requires_grad = false;
  bool retains_grad = false;
  bool parameter = false;              // kept in f32 whatever the precision; contractions reorder it themselves
  std::shared_ptr<TapeNode> producer;  // null for leaves
  std::size_t output_index = 0;
  int trace_value = -1;  // while tracing: index into Trace::values
};

class Var {
 public:
  Var() = default;  // undefined; stands for an optional input that is absent
  Var(Tensor value, bool requires_grad = false);
  explicit Var(std::shared_ptr<VarState> state) : state_(std::move(state)) {}

  bool defined() const { return state_ != nullptr; }
  const Tensor& value() const;  // Error while tracing: the shape is all there is
  const Shape& shape() const { return state_->shape; }
  std::int64_t dim(int i) const { return shape()[shape().axis(i, "var")]; }
  DType dtype() const { return value().dtype(); }
  bool requires_grad() const { return state_ && state_->requires_grad; }
  void set_requires_grad(bool on);
  bool is_parameter() const { return state_ && state_->parameter; }
  void mark_parameter() { state_->parameter = true; }

  const Tensor& grad() const { return state_->grad; }  // undefined before the first backward()
  void zero_grad() { state_->grad = Tensor(); }
  // Replaces a leaf's value (same shape) and tells caches of it.
  void set_value(const Tensor& value);

  // Makes backward() keep the gradient of this value although it is no leaf.
  void retain_grad() { state_->retains_grad = true; }

  // Adds d(this)/d(leaf) to every leaf's grad and frees what was saved. `seed` defaults to 1 for a scalar.
  void backward(const Tensor& seed = {}) const;
  Var detach() const;

  const std::shared_ptr<VarState>& state() const { return state_; }

 private:
  std::shared_ptr<VarState> state_;
};

using Vars = std::vector<Var>;

// One recorded application of an op.
struct TapeNode {
  std::shared_ptr<const Op> op;
  Context context;
  std::vector<std::shared_ptr<VarState>> inputs;  // null where absent
  Shapes output_shapes;
  std::uint64_t order = 0;  // later nodes have larger numbers
  std::string path;
};

}  // namespace fovea
