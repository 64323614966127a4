#include "modules/ops/max_mean.hpp"

#include <algorithm>
#include <limits>

#include "modules/autograd/apply.hpp"
#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

constexpr std::int64_t kColumns = 1024;  // columns that one job takes: their running values stay in the first cache

// A channels-last map seen as outer x reduced x inner.
struct ReducedMap {
  std::int64_t outer = 1, reduced = 1, inner = 1;
  ReducedMap(const Shape& x, int axis) {
    const std::array<int, 4> order{0, 2, 3, 1};
    bool after = false;
    for (const int i : order) {
      if (i == axis) reduced = x[i], after = true;
      else (after ? inner : outer) *= x[i];
    }
  }
};

// One position's channels. Where nothing is greater the first is the maximum; a NaN beats everything.
template <class T, class C = compute_t<T>>
FOVEA_SIMD void reduce_row(C& best, C& sum, std::int32_t& where, const T* x, std::int64_t n) {
  C top = -std::numeric_limits<C>::infinity(), total = 0;
#pragma omp simd reduction(max : top) reduction(+ : total)
  for (std::int64_t i = 0; i < n; ++i) {
    const C v = static_cast<C>(x[i]);
    top = v > top ? v : top;
    total += v;
  }
  std::int32_t first = std::numeric_limits<std::int32_t>::max();
  if (total != total)  // a NaN, or infinities of both signs
    for (std::int64_t i = n; i-- > 0;)
      if (const C v = static_cast<C>(x[i]); v != v) first = static_cast<std::int32_t>(i), top = v;
  if (first == std::numeric_limits<std::int32_t>::max()) {
#pragma omp simd reduction(min : first)
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int32_t at =
          static_cast<C>(x[i]) == top ? static_cast<std::int32_t>(i) : std::numeric_limits<std::int32_t>::max();
      first = at < first ? at : first;
    }
  }
  best = top, sum = total, where = first;
}

// Running values of `n` columns; the first row begins them.
template <class T, class C = compute_t<T>>
FOVEA_SIMD void reduce_columns(C* best, C* sum, std::int32_t* where, const T* x, std::int64_t rows, std::int64_t stride,
                               std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) best[i] = static_cast<C>(x[i]), sum[i] = static_cast<C>(x[i]), where[i] = 0;
  for (std::int64_t r = 1; r < rows; ++r)
    for (std::int64_t i = 0; i < n; ++i) {
      const C v = static_cast<C>(x[r * stride + i]);
      const bool wins = (v > best[i]) | ((v != v) & (best[i] == best[i]));
      best[i] = wins ? v : best[i];
      where[i] = wins ? static_cast<std::int32_t>(r) : where[i];
      sum[i] += v;
    }
}

template <class T, class C = compute_t<T>>
FOVEA_SIMD void scatter_row(T* dx, C top, C mean, std::int32_t where, std::int64_t n) {
  const T plain = static_cast<T>(mean);
  for (std::int64_t i = 0; i < n; ++i) dx[i] = plain;
  dx[where] = static_cast<T>(mean + top);
}

template <class T, class C = compute_t<T>>
FOVEA_SIMD void scatter_columns(T* dx, const T* top, const T* mean, const std::int32_t* where, C scale, std::int64_t rows,
                                std::int64_t stride, std::int64_t n) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t i = 0; i < n; ++i)
      dx[r * stride + i] = static_cast<T>(static_cast<C>(mean[i]) * scale +
                                          (where[i] == static_cast<std::int32_t>(r) ? static_cast<C>(top[i]) : C(0)));
}

// One outer index: shares of the maxima's gradient for `n` columns, and the mean's part for all.
template <class T, class C = compute_t<T>>
void share_columns(T* dx, const T* dtop, const T* dmean, const T* x, const T* top, C scale, std::int64_t rows, std::int64_t n) {
  const auto equals = [](C v, C best) { return (v == best) | ((v != v) & (best != best)); };
  for (std::int64_t i = 0; i < n; ++i) {
    C count = 0;
    for (std::int64_t r = 0; r < rows; ++r) count += equals(static_cast<C>(x[r * n + i]), static_cast<C>(top[i]));
    const C plain = static_cast<C>(dmean[i]) * scale, share = static_cast<C>(dtop[i]) / count;
    for (std::int64_t r = 0; r < rows; ++r)
      dx[r * n + i] = static_cast<T>(plain + (equals(static_cast<C>(x[r * n + i]), static_cast<C>(top[i])) ? share : C(0)));
  }
}

struct MaxMean {
  static constexpr std::string_view name = "max_mean";
  static constexpr Policy policy = Policy::statistic;
  Shape input;
  int axis;
  bool mean_first;
  Ties ties;

  Shapes infer(const Shapes& in) const {
    check(in[0].rank() == 4 && axis >= 1 && axis <= 3, "max_mean: expected (N, C, H, W) and axis 1, 2 or 3, got ", in[0],
          " and axis ", axis);
    check(in[0][axis] > 0, "max_mean: expected at least one element along axis ", axis, ", got ", in[0]);
    return {in[0].with(axis, 2)};
  }

  Tensors forward(Context& c, const Tensors& in) const {
    const Tensor x = in[0].contiguous(Layout::channels_last);
    const ReducedMap p(x.shape(), axis);
    Tensor y = Tensor::empty(x.shape().with(axis, 2), x.dtype(), Layout::channels_last);
    Tensor where = Tensor::empty({p.outer * p.inner}, DType::s32);
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      if (p.inner == 1) rows<T>(p, x.data<T>(), y.data<T>(), where.data<std::int32_t>());
      else columns<T>(p, x.data<T>(), y.data<T>(), where.data<std::int32_t>());
    });
    if (ties == Ties::equal) c.save({x, y});
    else c.save({where});
    return {y};
  }

  Lowering lower() const { return role::AxisReduce{{axis, 1.0 / static_cast<double>(input[axis]), true, mean_first}}; }

  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor dy = grads[0].contiguous(Layout::channels_last);
    Tensor dx = Tensor::empty(input, dy.dtype(), Layout::channels_last);
    dispatch_compute(dy.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      const ReducedMap p(input, axis);
      if (ties == Ties::equal) share<T>(p, dx.data<T>(), dy.data<T>(), c.saved(0).data<T>(), c.saved(1).data<T>());
      else scatter<T>(p, dx.data<T>(), dy.data<T>(), c.saved(0).data<std::int32_t>());
    });
    return {dx};
  }

 private:
  std::int64_t top_at(std::int64_t inner) const { return mean_first ? inner : 0; }
  std::int64_t mean_at(std::int64_t inner) const { return mean_first ? 0 : inner; }

  template <class T>
  void rows(const ReducedMap& p, const T* x, T* y, std::int32_t* where) const {
    using C = compute_t<T>;
    parallel_for(p.outer, std::max<std::int64_t>(1, 16384 / p.reduced), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t o = begin; o < end; ++o) {
        C best, sum;
        reduce_row(best, sum, where[o], x + o * p.reduced, p.reduced);
        y[2 * o + top_at(1)] = static_cast<T>(best);
        y[2 * o + mean_at(1)] = static_cast<T>(sum / static_cast<C>(p.reduced));
      }
    });
  }

  template <class T>
  void columns(const ReducedMap& p, const T* x, T* y, std::int32_t* where) const {
    using C = compute_t<T>;
    const std::int64_t pieces = (p.inner + kColumns - 1) / kColumns;
    parallel_blocks(p.outer * pieces, [&](std::int64_t job) {
      const std::int64_t o = job / pieces, from = job % pieces * kColumns, n = std::min(kColumns, p.inner - from);
      std::array<C, kColumns> best, sum;
      reduce_columns(best.data(), sum.data(), where + o * p.inner + from, x + o * p.reduced * p.inner + from, p.reduced, p.inner,
                     n);
      T* to = y + 2 * o * p.inner + from;
      for (std::int64_t i = 0; i < n; ++i) {
        to[top_at(p.inner) + i] = static_cast<T>(best[static_cast<std::size_t>(i)]);
        to[mean_at(p.inner) + i] = static_cast<T>(sum[static_cast<std::size_t>(i)] / static_cast<C>(p.reduced));
      }
    });
  }

  template <class T>
  void share(const ReducedMap& p, T* dx, const T* dy, const T* x, const T* y) const {
    using C = compute_t<T>;
    const std::int64_t map = p.reduced * p.inner;
    parallel_for(p.outer, std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, map)),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t o = begin; o < end; ++o) {
                     const std::int64_t at = 2 * o * p.inner;
                     share_columns(dx + o * map, dy + at + top_at(p.inner), dy + at + mean_at(p.inner), x + o * map,
                                   y + at + top_at(p.inner), C(1) / static_cast<C>(p.reduced), p.reduced, p.inner);
                   }
                 });
  }

  template <class T>
  void scatter(const ReducedMap& p, T* dx, const T* dy, const std::int32_t* where) const {
    using C = compute_t<T>;
    const C scale = C(1) / static_cast<C>(p.reduced);
    parallel_for(p.outer, std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, p.reduced * p.inner)),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t o = begin; o < end; ++o) {
                     const T *top = dy + 2 * o * p.inner + top_at(p.inner), *mean = dy + 2 * o * p.inner + mean_at(p.inner);
                     T* to = dx + o * p.reduced * p.inner;
                     if (p.inner == 1) scatter_row(to, static_cast<C>(*top), static_cast<C>(*mean) * scale, where[o], p.reduced);
                     else scatter_columns(to, top, mean, where + o * p.inner, scale, p.reduced, p.inner, p.inner);
                   }
                 });
  }
};

}  // namespace

Var max_mean(const Var& x, int axis, bool mean_first, Ties ties) {
  return apply(MaxMean{x.shape(), axis, mean_first, ties}, {x});
}

}  // namespace fovea
