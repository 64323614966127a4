#include "modules/ops/global_std.hpp"

#include "modules/autograd/apply.hpp"
#include "modules/ops/kernels/channel_rows.hpp"

namespace fovea {
namespace {

using kernels::ChannelRows;

// dx = (x - mean) * scale, per channel.
template <class T, class C = compute_t<T>>
FOVEA_SIMD void spread_rows(T* dx, const T* x, const C* mean, const C* scale, std::int64_t rows, std::int64_t channels) {
  for (std::int64_t r = 0; r < rows; ++r, dx += channels, x += channels)
    for (std::int64_t c = 0; c < channels; ++c) dx[c] = static_cast<T>((static_cast<C>(x[c]) - mean[c]) * scale[c]);
}

struct GlobalStdPool {
  static constexpr std::string_view name = "global_std_pool";
  static constexpr Policy policy = Policy::statistic;
  double eps;
  bool unbiased;

  static ChannelRows rows_of(const Shape& x) { return {x[0], x[2] * x[3], x[1]}; }
  double divisor(const ChannelRows& s) const {
    return static_cast<double>(std::max<std::int64_t>(1, s.rows - (unbiased ? 1 : 0)));
  }

  Shapes infer(const Shapes& in) const {
    const Shape& x = in[0];
    check(x.rank() == 4 && x[2] * x[3] > 0, name, ": expected (N, C, H, W) with at least one position, got ", x);
    return {Shape{x[0], x[1], 1, 1}};
  }

  Tensors forward(Context& c, const Tensors& in) const {
    const Tensor x = in[0].contiguous(Layout::channels_last);
    const ChannelRows s = rows_of(x.shape());
    Tensor y = Tensor::empty({s.segments, s.channels, 1, 1}, x.dtype(), Layout::channels_last);
    Tensor mean = Tensor::empty({s.segments, s.channels}, DType::f64), stddev = Tensor::empty(mean.shape(), DType::f64);
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      const auto m = kernels::moments(x.data<T>(), s);
      for (std::size_t i = 0; i < m.mean.size(); ++i) {
        mean.data<double>()[i] = m.mean[i];
        stddev.data<double>()[i] = std::sqrt(m.squares[i] / divisor(s) + eps);
        y.data<T>()[i] = static_cast<T>(static_cast<compute_t<T>>(stddev.data<double>()[i]));
      }
    });
    c.save({x, mean, stddev});
    return {y};
  }

  Lowering lower() const {
    using Computation = role::Computation;
    return Computation{[*this](const auto& in, const auto&) -> std::optional<Computation::Bound> {
      const ChannelRows s = rows_of(in[0].shape);
      if (s.channels > 1 && in[0].strides[1] != 1) return std::nullopt;
      return Computation::Bound{[op = *this, s](auto* x, auto* y, float* room) {
                                  const kernels::MomentsRoom m(s, room);
                                  kernels::moments(x[0], s, m.partial, m.mean, m.squares);
                                  for (std::int64_t i = 0; i < s.segments * s.channels; ++i)
                                    y[0][i] = static_cast<float>(std::sqrt(m.squares[i] / op.divisor(s) + op.eps));
                                },
                                kernels::MomentsRoom::size(s)};
    }};
  }

  // d std / d x = (x - mean) / (divisor * std)
  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor &x = c.saved(0), &mean = c.saved(1), &stddev = c.saved(2);
    const Tensor dy = grads[0].contiguous(Layout::channels_last);
    const ChannelRows s = rows_of(x.shape());
    Tensor dx = Tensor::like(x);
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      using C = compute_t<T>;
      std::vector<C> centre(static_cast<std::size_t>(mean.size())), scale(centre.size());
      for (std::size_t i = 0; i < centre.size(); ++i) {
        centre[i] = static_cast<C>(mean.data<double>()[i]);
        scale[i] = static_cast<C>(static_cast<double>(static_cast<C>(dy.data<T>()[i])) / (divisor(s) * stddev.data<double>()[i]));
      }
      kernels::for_each_block(s, [&](std::int64_t n, std::int64_t first, std::int64_t rows, std::int64_t) {
        spread_rows(dx.data<T>() + first * s.channels, x.data<T>() + first * s.channels, centre.data() + n * s.channels,
                    scale.data() + n * s.channels, rows, s.channels);
      });
    });
    return {dx};
  }
};

}  // namespace

Var global_std_pool(const Var& x, double eps, bool unbiased) { return apply(GlobalStdPool{eps, unbiased}, {x}); }

}  // namespace fovea
