// Lines along one axis, for ops in which each element depends on those before it: they are shared out over threads, whole.
#pragma once

#include "modules/core/threads.hpp"
#include "modules/ops/kernels/extent.hpp"

namespace fovea::kernels {

// Of dense row-major data.
inline Extent extent_of(const Shape& shape, int axis) {
  Extent e{1, shape[axis], 1};
  for (int i = 0; i < axis; ++i) e.outer *= shape[i];
  for (int i = axis + 1; i < shape.rank(); ++i) e.inner *= shape[i];
  return e;
}

// f(first element) for every line; its elements lie e.inner apart.
template <class F>
void for_each_line(const Extent& e, const F& f) {
  parallel_for(e.outer * e.inner, std::max<std::int64_t>(1, 8192 / std::max<std::int64_t>(1, e.size)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) f(i / e.inner * e.size * e.inner + i % e.inner);
               });
}

// How a plan runs such an op: bind(extent) gives the function to run, where all operands lie alike.
template <class Bind>
role::Computation lines_computation(int axis, const Bind& bind) {
  using Computation = role::Computation;
  return {[axis, bind](const auto& in, const auto& out) -> std::optional<Computation::Bound> {
    const auto e = extent_of(out[0], axis);
    if (!e) return std::nullopt;
    for (const auto& v : in)
      if (!alike(v, out[0])) return std::nullopt;
    return Computation::Bound{bind(*e)};
  }};
}

}  // namespace fovea::kernels
