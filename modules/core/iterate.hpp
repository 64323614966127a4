// Walks K strided operands of one shape together, as the longest possible inner rows.
// Dimensions are sorted by the first operand's strides and merged where every operand allows it, so dense tensors of any
// layout become one row; rows are shared out over threads.
#pragma once

#include <algorithm>
#include <array>

#include "modules/core/tensor.hpp"
#include "modules/core/threads.hpp"

namespace fovea {

struct Operand {
  void* data;
  Shape strides;        // in elements, same rank as the shape
  std::size_t element;  // bytes
};

inline Operand operand(const Tensor& t) { return {const_cast<void*>(t.raw()), t.strides(), size_of(t.dtype())}; }

template <int K>
struct Walk {
  Shape shape;  // outermost first
  std::array<Shape, K> strides;

  Walk(const Shape& full, const std::array<Operand, K>& operands) {
    std::array<int, Shape::kMaxRank> order{};
    int n = 0;
    for (int i = 0; i < full.rank(); ++i)
      if (full[i] != 1) order[static_cast<std::size_t>(n++)] = i;
    std::stable_sort(order.begin(), order.begin() + n,
                     [&](int a, int b) { return operands[0].strides[a] > operands[0].strides[b]; });
    for (int i = 0; i < n; ++i) append(full[order[static_cast<std::size_t>(i)]], operands, order[static_cast<std::size_t>(i)]);
    if (n == 0) append_unit();
  }

 private:
  void append(std::int64_t size, const std::array<Operand, K>& operands, int axis) {
    bool merges = shape.rank() > 0;
    for (int k = 0; k < K && merges; ++k)
      merges = strides[k][shape.rank() - 1] == operands[static_cast<std::size_t>(k)].strides[axis] * size;
    if (!merges) {
      shape.push_back(size);
      for (int k = 0; k < K; ++k) strides[k].push_back(operands[static_cast<std::size_t>(k)].strides[axis]);
      return;
    }
    shape[shape.rank() - 1] *= size;
    for (int k = 0; k < K; ++k) strides[k][shape.rank() - 1] = operands[static_cast<std::size_t>(k)].strides[axis];
  }
  void append_unit() {
    shape.push_back(1);
    for (int k = 0; k < K; ++k) strides[k].push_back(1);
  }
};

// row(n, pointers, strides): n elements, each operand at pointer[k] + i * stride[k].
template <int K, class Row>
void for_each_row(const Shape& full, const std::array<Operand, K>& operands, const Row& row) {
  if (full.elements() == 0) return;
  const Walk<K> walk(full, operands);
  const int inner = walk.shape.rank() - 1;
  const std::int64_t length = walk.shape[inner];
  std::int64_t rows = 1;
  for (int i = 0; i < inner; ++i) rows *= walk.shape[i];
  std::array<std::int64_t, K> steps{};
  for (int k = 0; k < K; ++k) steps[k] = walk.strides[k][inner];

  auto run = [&](std::int64_t r, std::int64_t begin, std::int64_t end) {
    std::array<void*, K> at{};
    for (int k = 0; k < K; ++k) {
      std::int64_t offset = begin * steps[k], rest = r;
      for (int i = inner - 1; i >= 0; --i) {
        offset += rest % walk.shape[i] * walk.strides[k][i];
        rest /= walk.shape[i];
      }
      at[k] = static_cast<char*>(operands[k].data) + offset * static_cast<std::int64_t>(operands[k].element);
    }
    row(end - begin, at, steps);
  };

  constexpr std::int64_t kGrain = 16384;  // elements: below this a second thread costs more than it brings
  if (rows == 1) {
    parallel_for(length, kGrain, [&](std::int64_t b, std::int64_t e) { run(0, b, e); });
  } else {
    parallel_for(rows, std::max<std::int64_t>(1, kGrain / length), [&](std::int64_t b, std::int64_t e) {
      for (std::int64_t r = b; r < e; ++r) run(r, 0, length);
    });
  }
}

}  // namespace fovea
