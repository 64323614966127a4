#include "modules/ops/take.hpp"

#include <algorithm>

#include "modules/autograd/apply.hpp"
#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"
#include "modules/ops/kernels/extent.hpp"

namespace fovea {
namespace {

template <class T>
FOVEA_SIMD void add_values(compute_t<T>* sum, const T* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) sum[i] += static_cast<compute_t<T>>(x[i]);
}

// Dense data seen as (outer, size, inner) around the indexed axis.
struct Extent {
  std::int64_t outer = 1, size = 1, inner = 1;
  Extent(const Shape& s, int axis) : size(s[axis]) {
    for (int i = 0; i < axis; ++i) outer *= s[i];
    for (int i = axis + 1; i < s.rank(); ++i) inner *= s[i];
  }
};

std::vector<std::int64_t> checked_indices(std::string_view what, const Tensor& index, std::int64_t size) {
  check(index.dtype() == DType::s64, what, ": expected indices of s64, got ", name_of(index.dtype()));
  const Tensor dense = index.contiguous(Layout::row_major);
  const auto* at = dense.data<std::int64_t>();
  std::vector<std::int64_t> out(at, at + dense.size());
  for (const auto i : out) check(i >= 0 && i < size, what, ": expected indices from 0 to ", size - 1, ", got ", i);
  return out;
}

// x dense row-major -> (outer, indices, inner).
Tensor take(const Tensor& x, int axis, const std::vector<std::int64_t>& indices) {
  const Extent e(x.shape(), axis);
  const auto count = static_cast<std::int64_t>(indices.size());
  Tensor y = Tensor::empty(x.shape().with(axis, count), x.dtype());
  dispatch_compute(x.dtype(), "take", [&](auto zero) {
    using T = decltype(zero);
    parallel_for(e.outer * count, std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, e.inner)),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i)
                     std::copy_n(x.data<T>() + (i / count * e.size + indices[static_cast<std::size_t>(i % count)]) * e.inner,
                                 e.inner, y.data<T>() + i * e.inner);
                 });
  });
  return y;
}

// The sum of dy's slices at their indices. Threads share the inner axis, so that each sum keeps its order.
Tensor put_back(const Tensor& dy, int axis, const std::vector<std::int64_t>& indices, const Shape& input, std::int64_t skip) {
  const Extent e(input, axis);
  const auto count = static_cast<std::int64_t>(indices.size());
  Tensor out;
  dispatch_compute(dy.dtype(), "take", [&](auto zero) {
    using T = decltype(zero);
    using C = compute_t<T>;
    Tensor sum = Tensor::zeros(input, dtype_of<C>::value);
    parallel_for(e.inner, 64, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = 0; i < e.outer * count; ++i) {
        const std::int64_t at = indices[static_cast<std::size_t>(i % count)];
        if (at == skip) continue;
        add_values(sum.data<C>() + (i / count * e.size + at) * e.inner + begin, dy.data<T>() + i * e.inner + begin, end - begin);
      }
    });
    out = sum.to(dy.dtype());
  });
  return out;
}

const Shape kToBack{0, 2, 3, 1}, kToFront{0, 3, 1, 2};
constexpr std::array<int, 4> kAxisInBack{0, 3, 1, 2};  // where N, C, H, W lie in memory

struct IndexSelect {
  static constexpr std::string_view name = "index_select";
  static constexpr Policy policy = Policy::statistic;  // follows its input
  int axis;
  Shape input;

  Shapes infer(const Shapes& in) const {
    check(in[1].rank() == 1, "index_select: expected an index of rank 1, got ", in[1]);
    return {in[0].with(axis, in[1][0])};
  }
  Tensors forward(Context& c, const Tensors& in) const {
    const auto indices = checked_indices(name, in[1], input[axis]);
    c.save({in[1]});
    if (in[0].layout() != Layout::channels_last) return {take(in[0].contiguous(Layout::row_major), axis, indices)};
    return {take(in[0].permute(kToBack), kAxisInBack[static_cast<std::size_t>(axis)], indices).permute(kToFront)};
  }
  // A plan gives the indices as f32, which holds them exactly.
  Lowering lower() const {
    using Computation = role::Computation;
    if (input.elements() >= std::int64_t{1} << 24) return {};
    return Computation{[*this](const auto& in, const auto& out) -> std::optional<Computation::Bound> {
      const auto from = kernels::extent_of(in[0], axis), to = kernels::extent_of(out[0], axis);
      if (!from || !to || from->outer != to->outer || from->inner != to->inner || in[0].shape[axis] < 2 || out[0].shape[axis] < 2)
        return std::nullopt;
      return Computation::Bound{[from = *from, to = *to](auto* x, auto* y, float*) { select(from, to, x[0], x[1], y[0]); }};
    }};
  }

  static void select(const kernels::Extent& from, const kernels::Extent& to, const float* x, const float* index, float* y) {
    parallel_for(to.outer * to.size, std::max<std::int64_t>(1, 16384 / to.inner), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const auto at = static_cast<std::int64_t>(index[i % to.size]);
        check(at >= 0 && at < from.size, name, ": expected indices from 0 to ", from.size - 1, ", got ", at);
        std::copy_n(x + (i / to.size * from.size + at) * from.inner, from.inner, y + i * from.inner);
      }
    });
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const auto indices = checked_indices(name, c.saved(0), input[axis]);
    Tensors out(2);
    if (grads[0].layout() == Layout::channels_last) {
      const Shape back{input[0], input[2], input[3], input[1]};
      out[0] =
          put_back(grads[0].permute(kToBack), kAxisInBack[static_cast<std::size_t>(axis)], indices, back, -1).permute(kToFront);
    } else {
      out[0] = put_back(grads[0].contiguous(Layout::row_major), axis, indices, input, -1);
    }
    return out;
  }
};

struct Embedding {
  static constexpr std::string_view name = "embedding";
  static constexpr Policy policy = Policy::statistic;  // follows its table
  std::int64_t padding;
  Shape table;

  Shapes infer(const Shapes& in) const {
    check(in[0].rank() == 2, "embedding: expected a table (V, D), got ", in[0]);
    check(padding < in[0][0], "embedding: expected a padding row below ", in[0][0], ", got ", padding);
    Shape out = in[1];
    out.push_back(in[0][1]);
    return {out};
  }
  Tensors forward(Context& c, const Tensors& in) const {
    c.save({in[1]});
    const Tensor y = take(in[0].contiguous(Layout::row_major), 0, checked_indices(name, in[1], table[0]));
    return {y.reshape(infer({in[0].shape(), in[1].shape()})[0])};
  }
  Tensors backward(Context& c, const Tensors& grads) const {
    Tensors out(2);
    out[0] = put_back(grads[0].contiguous(Layout::row_major), 0, checked_indices(name, c.saved(0), table[0]), table, padding);
    return out;
  }
};

}  // namespace

Var index_select(const Var& x, int axis, const Var& index) {
  return apply(IndexSelect{x.shape().axis(axis, "index_select"), x.shape()}, {x, index});
}

Var embedding(const Var& table, const Var& index, std::int64_t padding) {
  return apply(Embedding{padding, table.shape()}, {table, index});
}

}  // namespace fovea
