// What check_op is made of: an op's runs in one type or another, how their results are compared, and the checks, a file each group.
#pragma once

#include "tests/support/check_op.hpp"

namespace fovea::test {

struct OpResult {
  Tensors values, gradients;  // gradients: one an input, undefined where none is wanted
};

// What a value may be off by, for the rounding of one type.
struct Bound {
  double absolute;  // times the largest magnitude of the reference
  double relative;  // times each value
};
Bound value_bound(DType type);
Bound gradient_bound(DType type);

class OpHarness {
 public:
  OpHarness(const OpFunction& f, const Tensors& inputs, const OpCheck& options) : f_(f), inputs_(inputs), o_(options) {}

  void all();

 private:
  // op_runs.cpp
  bool wants_gradient(std::size_t i) const { return is_floating(inputs_[i].dtype()) && !o_.fixed.count(i); }
  Vars leaves(const Tensors& inputs, DType type) const;
  void backward(const Vars& outputs) const;
  OpResult results(const Vars& in) const;
  OpResult run(const Tensors& inputs, DType type) const;
  OpResult run(DType type) const { return run(inputs_, type); }
  double loss(const Tensors& inputs) const;
  void close(const Tensor& got, const Tensor& want, const Bound& bound, double slack, double cancelled = 0) const;
  void compare(const OpResult& got, const OpResult& want, DType type, double slack = 1) const;

  // check_op.cpp
  void shapes() const;
  void against_reference(DType type) const;
  void messages() const;
  // op_gradients.cpp
  void directions() const;
  void repeated_backward() const;
  // op_surroundings.cpp
  void alone() const;
  void threads_agree() const;
  void strides() const;
  // op_plan.cpp
  void planned() const;
  void planned(DType precision, const std::set<std::size_t>& constants) const;
  void refused_in_plan() const;

  const OpFunction& f_;
  const Tensors& inputs_;
  const OpCheck& o_;
  OpResult reference_;
};

bool same_bits(const Tensor& a, const Tensor& b);

}  // namespace fovea::test
