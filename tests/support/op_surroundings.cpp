// What must not matter to an op: the other samples, the number of threads, how its inputs lie in memory.
#include <algorithm>
#include <cmath>

#include "modules/core/threads.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_harness.hpp"

namespace fovea::test {
namespace {

// Every second element of a larger block of NaN; axes reversed in memory; plain row-major.
Tensor every_second(const Tensor& t) {
  Tensor block = Tensor::full(t.shape().with(t.rank() - 1, 2 * t.dim(-1)), std::nan(""), t.dtype());
  Tensor view = block.slice(t.rank() - 1, 0, 2 * t.dim(-1), 2);
  view.copy_from(t);
  return view;
}
Tensor reversed_in_memory(const Tensor& t) {
  Shape shape, order;
  for (int i = t.rank() - 1; i >= 0; --i) shape.push_back(t.shape()[i]), order.push_back(i);
  Tensor view = Tensor::empty(shape, t.dtype()).permute(order);
  view.copy_from(t);
  return view;
}

}  // namespace

void OpHarness::alone() const {
  if (o_.batch_mixing) return;
  INFO("one sample alone");
  std::int64_t samples = 0;
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    if (!o_.parameters.count(i)) samples = std::max(samples, inputs_[i].dim(0));
  const OpResult together = run(DType::f32);
  for (const std::int64_t n : {std::int64_t{0}, samples - 1}) {
    Tensors one = inputs_;
    for (std::size_t i = 0; i < one.size(); ++i)
      if (!o_.parameters.count(i)) one[i] = one[i].slice(0, n, n + 1).clone();
    const NoGrad no_grad;
    const Vars out = f_(leaves(one, DType::f32));
    for (std::size_t k = 0; k < out.size(); ++k)
      close(out[k].value(), together.values[k].slice(0, n, n + 1), value_bound(DType::f32), 2);
  }
}

void OpHarness::threads_agree() const {
  const int before = threads();
  set_threads(1);
  const OpResult one = run(DType::f32), reference = run(DType::f64);
  for (const int count : {2, 3}) {
    INFO(count << " threads");
    set_threads(count);
    const OpResult many = run(DType::f32), many64 = run(DType::f64);
    for (std::size_t k = 0; k < one.values.size(); ++k) {
      CHECK(same_bits(one.values[k], many.values[k]));
      CHECK(same_bits(reference.values[k], many64.values[k]));
    }
    compare(many, one, DType::f32, 2);
  }
  set_threads(before);
}

void OpHarness::strides() const {
  if (!o_.strided) return;
  const OpResult dense = run(DType::f32);
  const std::vector<std::pair<std::string, std::function<Tensor(const Tensor&)>>> variants{
      {"every second element", every_second},
      {"axes reversed in memory", reversed_in_memory},
      {"row-major", [](const Tensor& t) { return t.contiguous(Layout::row_major); }}};
  for (const auto& [what, change] : variants) {
    INFO("inputs: " << what);
    Vars in;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const Tensor converted = is_floating(inputs_[i].dtype()) ? inputs_[i].to(DType::f32) : inputs_[i];
      const bool bends = inputs_[i].rank() > 0 && inputs_[i].dtype() != DType::boolean;
      in.emplace_back(bends ? change(converted) : converted, wants_gradient(i));
      if (o_.parameters.count(i)) in.back().mark_parameter();
    }
    compare(results(in), dense, DType::f32, 2);
  }
}

}  // namespace fovea::test
