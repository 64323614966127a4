// Ops that work along one axis: the axis brought to the end, and its rows shared out over threads.
#pragma once

#include <string_view>

#include "modules/core/tensor.hpp"
#include "modules/core/threads.hpp"

namespace fovea::kernels {

// The axis in the last place, a view. Swapping twice is the identity, so the same call leads back.
inline Tensor axis_to_back(const Tensor& t, int axis) {
  Shape order;
  for (int i = 0; i < t.rank(); ++i) order.push_back(i);
  std::swap(order[axis], order[t.rank() - 1]);
  return t.permute(order);
}

// f(zero of the element type, first element, length) for every row of a dense tensor. `grain`: elements worth a thread.
template <class F>
void for_each_axis_row(const Tensor& t, std::string_view name, std::int64_t grain, const F& f) {
  const std::int64_t n = t.dim(-1);
  if (t.size() == 0) return;
  dispatch_compute(t.dtype(), name, [&](auto zero) {
    parallel_for(t.size() / n, std::max<std::int64_t>(1, grain / n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) f(zero, r * n, n);
    });
  });
}

}  // namespace fovea::kernels
