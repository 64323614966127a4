#include "modules/core/reduce.hpp"

#include <algorithm>

#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

// A reduction seen as outer x reduced x inner, over a copy or view that is dense in that order.
struct Reduction {
  Tensor source;  // axes: kept outer axes, reduced axes, kept inner axes; dense
  std::int64_t outer = 1, reduced = 1, inner = 1;
};

// Axes in memory order, largest stride first.
std::vector<int> memory_order(const Tensor& t) {
  std::vector<int> order;
  for (int i = 0; i < t.rank(); ++i) order.push_back(i);
  if (t.layout() == Layout::channels_last) order = {0, 2, 3, 1};
  return order;
}

// Where the reduced axes are neighbours in memory no copy is needed: (N, HW, C) for spatial means of channels-last maps.
Reduction reduction(const Tensor& t, const std::vector<bool>& axes) {
  // Positions count the reduced axes in row-major order, which a channels-last map cannot give once C is among them.
  const bool mixed = t.layout() == Layout::channels_last && axes[1] && (axes[2] || axes[3]);
  const Tensor dense = t.is_dense() && !mixed ? t : t.contiguous(Layout::row_major);
  const std::vector<int> order = memory_order(dense);
  int first = -1, last = -1;
  bool adjacent = true;
  for (int i = 0; i < static_cast<int>(order.size()); ++i) {
    if (!axes[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] ||
        dense.shape()[order[static_cast<std::size_t>(i)]] == 1)
      continue;
    if (first < 0) first = i;
    else
      for (int k = last + 1; k < i; ++k) adjacent &= dense.shape()[order[static_cast<std::size_t>(k)]] == 1;
    last = i;
  }
  Reduction p;
  if (adjacent) {
    p.source = dense;
    for (int i = 0; i < static_cast<int>(order.size()); ++i) {
      const std::int64_t size = dense.shape()[order[static_cast<std::size_t>(i)]];
      (first < 0 || i < first ? p.outer : i <= last ? p.reduced : p.inner) *= size;
    }
    return p;
  }
  Shape kept, gone;
  for (int i = 0; i < t.rank(); ++i) (axes[static_cast<std::size_t>(i)] ? gone : kept).push_back(i);
  for (int a : kept) p.outer *= t.shape()[a];
  for (int a : gone) p.reduced *= t.shape()[a];
  for (auto a : gone) kept.push_back(a);
  p.source = t.permute(kept).contiguous(Layout::row_major);
  return p;
}

Shape reduced_shape(const Tensor& t, const std::vector<bool>& axes) {
  check(static_cast<int>(axes.size()) == t.rank(), "reduce: expected ", t.rank(), " axis flags, got ", axes.size());
  Shape shape = t.shape();
  for (int i = 0; i < t.rank(); ++i)
    if (axes[static_cast<std::size_t>(i)]) shape[i] = 1;
  return shape;
}

// The result's memory order is that of the kept axes of the source.
Tensor make_result(const Tensor& t, const Reduction& p, const Shape& shape, DType dtype) {
  const bool in_place = p.source.shape() == t.shape() && p.source.strides() == t.strides();
  return Tensor::empty(shape, dtype, in_place && t.layout() == Layout::channels_last ? Layout::channels_last : Layout::row_major);
}

template <class T>
FOVEA_SIMD void add_rows(compute_t<T>* sum, const T* rows, std::int64_t count, std::int64_t inner) {
  for (std::int64_t r = 0; r < count; ++r)
    for (std::int64_t i = 0; i < inner; ++i) sum[i] += static_cast<compute_t<T>>(rows[r * inner + i]);
}

template <class T>
FOVEA_SIMD compute_t<T> add_row(const T* row, std::int64_t count) {
  constexpr int kLanes = 16;
  compute_t<T> lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int k = 0; k < kLanes; ++k) lanes[k] += static_cast<compute_t<T>>(row[i + k]);
  compute_t<T> total = 0;
  for (; i < count; ++i) total += static_cast<compute_t<T>>(row[i]);
  for (int k = 0; k < kLanes; ++k) total += lanes[k];
  return total;
}

constexpr std::int64_t kBlock = 512;  // reduced elements summed in the compute type before going over to f64

template <class T>
void sum_blocks(const Reduction& p, T* out, double scale) {
  const T* in = p.source.data<T>();
  const std::int64_t blocks = (p.reduced + kBlock - 1) / kBlock;
  std::vector<double> partial(static_cast<std::size_t>(p.outer * blocks * p.inner));
  parallel_for(p.outer * blocks, std::max<std::int64_t>(1, 16384 / (kBlock * p.inner)),
               [&](std::int64_t begin, std::int64_t end) {
                 std::vector<compute_t<T>> sum(static_cast<std::size_t>(p.inner));
                 for (std::int64_t job = begin; job < end; ++job) {
                   const std::int64_t o = job / blocks, from = job % blocks * kBlock, count = std::min(kBlock, p.reduced - from);
                   const T* rows = in + (o * p.reduced + from) * p.inner;
                   double* to = partial.data() + job * p.inner;
                   if (p.inner == 1) {
                     *to = add_row(rows, count);
                     continue;
                   }
                   std::fill(sum.begin(), sum.end(), compute_t<T>(0));
                   add_rows(sum.data(), rows, count, p.inner);
                   std::copy(sum.begin(), sum.end(), to);
                 }
               });
  for (std::int64_t o = 0; o < p.outer; ++o)
    for (std::int64_t i = 0; i < p.inner; ++i) {
      double total = 0;
      for (std::int64_t b = 0; b < blocks; ++b) total += partial[static_cast<std::size_t>((o * blocks + b) * p.inner + i)];
      out[o * p.inner + i] = static_cast<T>(static_cast<compute_t<T>>(total * scale));
    }
}

template <class T>
void max_rows(const Reduction& p, T* out, std::int64_t* positions) {
  const T* in = p.source.data<T>();
  parallel_for(p.outer, std::max<std::int64_t>(1, 16384 / (p.reduced * p.inner)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o)
      for (std::int64_t r = 0; r < p.reduced; ++r)
        for (std::int64_t i = 0; i < p.inner; ++i) {
          const T v = in[(o * p.reduced + r) * p.inner + i];
          T& best = out[o * p.inner + i];
          const auto x = static_cast<compute_t<T>>(v), y = static_cast<compute_t<T>>(best);
          if (r > 0 && !(x > y) && !(x != x && y == y)) continue;
          best = v;
          if (positions) positions[o * p.inner + i] = r;
        }
  });
}

}  // namespace

Tensor sum_over(const Tensor& t, const std::vector<bool>& axes, double scale) {
  const Shape shape = reduced_shape(t, axes);
  if (t.size() == 0) return Tensor::zeros(shape, t.dtype());
  const Reduction p = reduction(t, axes);
  Tensor out = make_result(t, p, shape, t.dtype());
  dispatch_compute(t.dtype(), "sum", [&](auto zero) { sum_blocks(p, out.data<decltype(zero)>(), scale); });
  return out;
}

Tensor sum_to(const Tensor& t, const Shape& shape) {
  if (t.shape() == shape) return t;
  const int shift = t.rank() - shape.rank();
  std::vector<bool> axes(static_cast<std::size_t>(t.rank()));
  for (int i = 0; i < t.rank(); ++i)
    axes[static_cast<std::size_t>(i)] = i < shift || (shape[i - shift] == 1 && t.shape()[i] != 1);
  return sum_over(t, axes).reshape(shape);
}

Tensor max_over(const Tensor& t, const std::vector<bool>& axes, Tensor* positions) {
  const Shape shape = reduced_shape(t, axes);
  check(t.size() > 0, "max: expected at least one element, got ", t.shape());
  const Reduction p = reduction(t, axes);
  Tensor out = make_result(t, p, shape, t.dtype());
  if (positions) *positions = make_result(t, p, shape, DType::s64);
  dispatch_compute(t.dtype(), "max", [&](auto zero) {
    using T = decltype(zero);
    max_rows(p, out.data<T>(), positions ? positions->data<std::int64_t>() : nullptr);
  });
  return out;
}

}  // namespace fovea
