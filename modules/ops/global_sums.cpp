#include "modules/ops/global_sums.hpp"

#include "modules/autograd/apply.hpp"
#include "modules/ops/kernels/channel_rows.hpp"

namespace fovea {
namespace {

using kernels::ChannelRows;

struct Squares {
  static constexpr std::string_view name = "global_sum_squares";
  template <class C>
  static FOVEA_INLINE C f(C x) {
    return x * x;
  }
  template <class C>
  static FOVEA_INLINE C df(C x) {
    return x + x;
  }
};

struct Magnitudes {
  static constexpr std::string_view name = "global_sum_abs";
  template <class C>
  static FOVEA_INLINE C f(C x) {
    return x < C(0) ? -x : x;
  }
  template <class C>
  static FOVEA_INLINE C df(C x) {
    return x > C(0) ? C(1) : (x < C(0) ? C(-1) : C(0));
  }
};

// Four rows a turn, so that the sums are loaded and stored less often.
template <class F, class T, class C = compute_t<T>>
FOVEA_SIMD void add_values(C* __restrict sum, const T* __restrict x, std::int64_t rows, std::int64_t channels) {
  const auto f = [](T v) __attribute__((always_inline)) { return F::template f<C>(static_cast<C>(v)); };
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4, x += 4 * channels) {
    const T *b = x + channels, *c = b + channels, *d = c + channels;
    for (std::int64_t i = 0; i < channels; ++i) sum[i] += (f(x[i]) + f(b[i])) + (f(c[i]) + f(d[i]));
  }
  for (; r < rows; ++r, x += channels)
    for (std::int64_t i = 0; i < channels; ++i) sum[i] += f(x[i]);
}

// y = the sum of `count` rows.
FOVEA_SIMD void join_blocks(float* y, const float* blocks, std::int64_t count, std::int64_t channels) {
  constexpr std::int64_t kTogether = 256;
  double total[kTogether];
  for (std::int64_t from = 0; from < channels; from += kTogether) {
    const std::int64_t n = channels - from < kTogether ? channels - from : kTogether;
    for (std::int64_t i = 0; i < n; ++i) total[i] = 0;
    for (std::int64_t b = 0; b < count; ++b)
      for (std::int64_t i = 0; i < n; ++i) total[i] += static_cast<double>(blocks[b * channels + from + i]);
    for (std::int64_t i = 0; i < n; ++i) y[from + i] = static_cast<float>(total[i]);
  }
}

template <class F, class T, class C = compute_t<T>>
FOVEA_SIMD void spread_rows(T* dx, const T* dy, const T* x, std::int64_t rows, std::int64_t channels) {
  for (std::int64_t r = 0; r < rows; ++r, dx += channels, x += channels)
    for (std::int64_t c = 0; c < channels; ++c)
      dx[c] = static_cast<T>(static_cast<C>(dy[c]) * F::template df<C>(static_cast<C>(x[c])));
}

template <class F>
struct GlobalSum {
  static constexpr std::string_view name = F::name;
  static constexpr Policy policy = Policy::statistic;

  static ChannelRows rows_of(const Shape& x) { return {x[0], x[2] * x[3], x[1]}; }

  Shapes infer(const Shapes& in) const {
    check(in[0].rank() == 4, name, ": expected (N, C, H, W), got ", in[0]);
    return {Shape{in[0][0], in[0][1], 1, 1}};
  }

  Tensors forward(Context& ctx, const Tensors& in) const {
    const Tensor x = in[0].contiguous(Layout::channels_last);
    const ChannelRows s = rows_of(x.shape());
    Tensor y = Tensor::empty({s.segments, s.channels, 1, 1}, x.dtype(), Layout::channels_last);
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      using C = compute_t<T>;
      const auto sums = kernels::sum_rows<1, C>(s, [&](C* acc, std::int64_t first, std::int64_t rows, std::int64_t) {
        add_values<F>(acc, x.data<T>() + first * s.channels, rows, s.channels);
      });
      for (std::size_t i = 0; i < sums.size(); ++i) y.data<T>()[i] = static_cast<T>(static_cast<C>(sums[i]));
    });
    ctx.save({x});
    return {y};
  }

  Lowering lower() const {
    using Computation = role::Computation;
    return Computation{[](const auto& in, const auto&) -> std::optional<Computation::Bound> {
      const ChannelRows s = rows_of(in[0].shape);
      if (in[0].shape[1] > 1 && in[0].strides[1] != 1) return std::nullopt;
      return Computation::Bound{[s](auto* x, auto* y, float* blocks) { sum(s, x[0], y[0], blocks); },
                                s.segments * s.blocks() * s.channels};
    }};
  }

  static void sum(const ChannelRows& s, const float* x, float* y, float* blocks) {
    kernels::for_each_block(s, [&](std::int64_t, std::int64_t first, std::int64_t rows, std::int64_t block) {
      std::fill_n(blocks + block * s.channels, s.channels, 0.0f);
      add_values<F>(blocks + block * s.channels, x + first * s.channels, rows, s.channels);
    });
    for (std::int64_t n = 0; n < s.segments; ++n)
      join_blocks(y + n * s.channels, blocks + n * s.blocks() * s.channels, s.blocks(), s.channels);
  }

  Tensors backward(Context& ctx, const Tensors& grads) const {
    const Tensor& x = ctx.saved(0);
    const Tensor dy = grads[0].contiguous(Layout::channels_last);
    const ChannelRows s = rows_of(x.shape());
    Tensor dx = Tensor::like(x);
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      kernels::for_each_block(s, [&](std::int64_t n, std::int64_t first, std::int64_t rows, std::int64_t) {
        spread_rows<F>(dx.data<T>() + first * s.channels, dy.data<T>() + n * s.channels, x.data<T>() + first * s.channels, rows,
                       s.channels);
      });
    });
    return {dx};
  }
};

}  // namespace

Var global_sum_squares(const Var& x) { return apply(GlobalSum<Squares>{}, {x}); }
Var global_sum_abs(const Var& x) { return apply(GlobalSum<Magnitudes>{}, {x}); }

}  // namespace fovea
