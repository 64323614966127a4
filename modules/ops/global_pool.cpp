#include "modules/ops/global_pool.hpp"

#include <limits>

#include "modules/autograd/apply.hpp"
#include "modules/ops/kernels/channel_rows.hpp"
#include "modules/ops/ties.hpp"

namespace fovea {
namespace {

using kernels::ChannelRows;

ChannelRows rows_of(const Shape& x) { return {x[0], x[2] * x[3], x[1]}; }

Shapes infer_pooled(std::string_view what, const Shape& x) {
  check(x.rank() == 4 && x[2] * x[3] > 0, what, ": expected (N, C, H, W) with at least one position, got ", x);
  return {Shape{x[0], x[1], 1, 1}};
}

template <class T>
FOVEA_SIMD void spread_row(T* dx, const T* dy, compute_t<T> scale, std::int64_t rows, std::int64_t channels) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < channels; ++c) dx[r * channels + c] = static_cast<T>(static_cast<compute_t<T>>(dy[c]) * scale);
}

template <class T>
FOVEA_SIMD void spread_first_maximum(T* dx, const T* dy, const std::int32_t* where, std::int64_t first, std::int64_t rows,
                                     std::int64_t channels) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < channels; ++c)
      dx[r * channels + c] = where[c] == static_cast<std::int32_t>(first + r) ? dy[c] : T(0.0f);
}

template <class C>
bool equals(C v, C top) {
  return (v == top) | ((v != v) & (top != top));
}

// One picture's gradient, in equal shares to the rows that hold the maximum.
template <class T>
void share_among_maxima(T* dx, const T* dy, const T* x, const T* top, const ChannelRows& s) {
  using C = compute_t<T>;
  std::vector<C> share(static_cast<std::size_t>(s.channels));
  for (std::int64_t r = 0; r < s.rows; ++r)
    for (std::int64_t c = 0; c < s.channels; ++c)
      share[static_cast<std::size_t>(c)] += equals(static_cast<C>(x[r * s.channels + c]), static_cast<C>(top[c]));
  for (std::int64_t c = 0; c < s.channels; ++c)
    share[static_cast<std::size_t>(c)] = static_cast<C>(dy[c]) / share[static_cast<std::size_t>(c)];
  for (std::int64_t r = 0; r < s.rows; ++r)
    for (std::int64_t c = 0; c < s.channels; ++c) {
      const std::int64_t at = r * s.channels + c;
      dx[at] = static_cast<T>(equals(static_cast<C>(x[at]), static_cast<C>(top[c])) ? share[static_cast<std::size_t>(c)] : C(0));
    }
}

template <class T>
FOVEA_SIMD void maximum_of_rows(compute_t<T>* best, std::int32_t* where, const T* x, std::int64_t rows, std::int64_t channels) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < channels; ++c) {
      const compute_t<T> v = static_cast<compute_t<T>>(x[r * channels + c]);
      const bool wins = (v > best[c]) | ((v != v) & (best[c] == best[c]));
      best[c] = wins ? v : best[c];
      where[c] = wins ? static_cast<std::int32_t>(r) : where[c];
    }
}

struct GlobalAvgPool {
  static constexpr std::string_view name = "global_avg_pool";
  static constexpr Policy policy = Policy::statistic;
  Shape input;

  Lowering lower() const { return role::GlobalPool{.maximum = false}; }

  Shapes infer(const Shapes& in) const { return infer_pooled(name, in[0]); }

  Tensors forward(Context&, const Tensors& in) const {
    const Tensor x = in[0].contiguous(Layout::channels_last);
    const ChannelRows s = rows_of(x.shape());
    Tensor y = Tensor::empty({s.segments, s.channels, 1, 1}, x.dtype(), Layout::channels_last);
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      using C = compute_t<T>;
      const auto sums = kernels::sum_rows<1, C>(s, [&](C* acc, std::int64_t first, std::int64_t rows, std::int64_t) {
        kernels::add_rows(acc, x.data<T>() + first * s.channels, rows, s.channels);
      });
      for (std::size_t i = 0; i < sums.size(); ++i)
        y.data<T>()[i] = static_cast<T>(static_cast<C>(sums[i] / static_cast<double>(s.rows)));
    });
    return {y};
  }

  Tensors backward(Context&, const Tensors& grads) const {
    const Tensor dy = grads[0].contiguous(Layout::channels_last);
    const ChannelRows s = rows_of(input);
    Tensor dx = Tensor::empty(input, dy.dtype(), Layout::channels_last);
    dispatch_compute(dy.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      kernels::for_each_block(s, [&](std::int64_t n, std::int64_t first, std::int64_t rows, std::int64_t) {
        spread_row(dx.data<T>() + first * s.channels, dy.data<T>() + n * s.channels,
                   static_cast<compute_t<T>>(1.0 / static_cast<double>(s.rows)), rows, s.channels);
      });
    });
    return {dx};
  }
};

struct GlobalMaxPool {
  static constexpr std::string_view name = "global_max_pool";
  static constexpr Policy policy = Policy::statistic;
  Shape input;
  Ties ties;

  Lowering lower() const { return role::GlobalPool{.maximum = true}; }

  Shapes infer(const Shapes& in) const { return infer_pooled(name, in[0]); }

  Tensors forward(Context& ctx, const Tensors& in) const {
    const Tensor x = in[0].contiguous(Layout::channels_last);
    const ChannelRows s = rows_of(x.shape());
    Tensor y = Tensor::empty({s.segments, s.channels, 1, 1}, x.dtype(), Layout::channels_last);
    Tensor where = Tensor::zeros({s.segments, s.channels}, DType::s32);
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      using C = compute_t<T>;
      parallel_for(s.segments, std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, s.rows * s.channels)),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t n = begin; n < end; ++n) {
                       std::vector<C> best(static_cast<std::size_t>(s.channels), -std::numeric_limits<C>::infinity());
                       maximum_of_rows(best.data(), where.data<std::int32_t>() + n * s.channels,
                                       x.data<T>() + n * s.rows * s.channels, s.rows, s.channels);
                       std::copy(best.begin(), best.end(), y.data<T>() + n * s.channels);
                     }
                   });
    });
    if (ties == Ties::equal) ctx.save({x, y});
    else ctx.save({where});
    return {y};
  }

  Tensors backward(Context& ctx, const Tensors& grads) const {
    const Tensor dy = grads[0].contiguous(Layout::channels_last);
    const ChannelRows s = rows_of(input);
    Tensor dx = Tensor::empty(input, dy.dtype(), Layout::channels_last);
    if (ties == Ties::equal) {
      dispatch_compute(dy.dtype(), name, [&](auto zero) {
        using T = decltype(zero);
        const std::int64_t map = s.rows * s.channels;
        parallel_for(s.segments, std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, map)),
                     [&](std::int64_t begin, std::int64_t end) {
                       for (std::int64_t n = begin; n < end; ++n)
                         share_among_maxima(dx.data<T>() + n * map, dy.data<T>() + n * s.channels,
                                            ctx.saved(0).data<T>() + n * map, ctx.saved(1).data<T>() + n * s.channels, s);
                     });
      });
      return {dx};
    }
    const auto* where = ctx.saved(0).data<std::int32_t>();
    dispatch_compute(dy.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      kernels::for_each_block(s, [&](std::int64_t n, std::int64_t first, std::int64_t rows, std::int64_t) {
        spread_first_maximum(dx.data<T>() + first * s.channels, dy.data<T>() + n * s.channels, where + n * s.channels,
                             first - n * s.rows, rows, s.channels);
      });
    });
    return {dx};
  }
};

}  // namespace

Var global_avg_pool(const Var& x) { return apply(GlobalAvgPool{x.shape()}, {x}); }
Var global_max_pool(const Var& x) { return apply(GlobalMaxPool{x.shape(), Ties::first}, {x}); }
Var global_amax(const Var& x) { return apply(GlobalMaxPool{x.shape(), Ties::equal}, {x}); }

}  // namespace fovea
