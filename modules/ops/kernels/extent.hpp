// How the values of a computation lie in memory, for kernels that work along axes.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "modules/autograd/lowering.hpp"

namespace fovea::kernels {

// A dense value seen as outer x size x inner around some axes.
struct Extent {
  std::int64_t outer = 1, size = 1, inner = 1;
};

// The axes of a value as they lie, the outermost first; those of size 1 are left out.
inline std::vector<int> axes_in_memory(const role::Computation::Value& v) {
  std::vector<int> order;
  for (int i = 0; i < v.shape.rank(); ++i)
    if (v.shape[i] > 1) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return v.strides[a] > v.strides[b]; });
  return order;
}

// Nothing where other axes lie between those that are set in `axes`, or where the value is not dense.
inline std::optional<Extent> extent_of(const role::Computation::Value& v, const std::vector<bool>& axes) {
  const std::vector<int> order = axes_in_memory(v);
  std::int64_t step = 1;
  for (std::size_t i = order.size(); i-- > 0; step *= v.shape[order[i]])
    if (v.strides[order[i]] != step) return std::nullopt;
  Extent e;
  int part = 0;  // outer, size, inner
  for (const int axis : order) {
    const bool chosen = axes[static_cast<std::size_t>(axis)];
    if (chosen && part == 2) return std::nullopt;
    part = chosen ? 1 : part == 1 ? 2 : part;
    (part == 0 ? e.outer : part == 1 ? e.size : e.inner) *= v.shape[axis];
  }
  return e;
}

inline std::optional<Extent> extent_of(const role::Computation::Value& v, int axis) {
  std::vector<bool> axes(static_cast<std::size_t>(v.shape.rank()));
  axes[static_cast<std::size_t>(axis)] = true;
  // An axis of one element lies anywhere: innermost.
  return extent_of(v, axes);
}

// Whether two dense values have their elements in the same order.
inline bool alike(const role::Computation::Value& a, const role::Computation::Value& b) {
  if (a.shape != b.shape) return false;
  for (int i = 0; i < a.shape.rank(); ++i)
    if (a.shape[i] > 1 && a.strides[i] != b.strides[i]) return false;
  return true;
}

}  // namespace fovea::kernels
