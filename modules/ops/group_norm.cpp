#include "modules/ops/group_norm.hpp"

#include "modules/autograd/apply.hpp"
#include "modules/ops/kernels/channel_rows.hpp"
#include "modules/ops/kernels/extent.hpp"

namespace fovea {
namespace {

using kernels::ChannelRows;

ChannelRows rows_of(const Shape& x) {  // of (N, ..., C)
  std::int64_t rows = 1;
  for (int i = 1; i + 1 < x.rank(); ++i) rows *= x[i];
  return {x[0], rows, x[x.rank() - 1]};
}

struct GroupNorm {
  static constexpr std::string_view name = "group_norm";
  static constexpr Policy policy = Policy::statistic;
  int groups;
  double eps;

  Shapes infer(const Shapes& in) const {
    check(in[0].rank() >= 2, "group_norm: expected (N, C, ...), got ", in[0]);
    check(groups > 0 && in[0][1] % groups == 0, "group_norm: expected channels in multiples of ", groups, ", got ", in[0]);
    for (std::size_t i : {1, 2})
      check(in[i].rank() == 0 || in[i] == Shape{in[0][1]}, "group_norm: expected parameters of shape ", in[0][1], ", got ",
            in[i]);
    return {in[0]};
  }

  // Means and squares of channels to mean and 1 / sqrt(var + eps) of their group, repeated for each of its channels.
  void join(const ChannelRows& s, double* mean, double* squares) const {
    const std::int64_t width = s.channels / groups;
    const auto rows = static_cast<double>(s.rows), channels = static_cast<double>(width);
    for (std::int64_t first = 0; first < s.segments * s.channels; first += width) {
      double centre = 0, sum = 0;
      for (std::int64_t c = first; c < first + width; ++c) centre += mean[c] / channels;
      for (std::int64_t c = first; c < first + width; ++c) sum += squares[c] + rows * (mean[c] - centre) * (mean[c] - centre);
      for (std::int64_t c = first; c < first + width; ++c)
        mean[c] = centre, squares[c] = 1 / std::sqrt(sum / (rows * channels) + eps);
    }
  }

  // y = (x - mean) * scale + shift. mean, scale: of each channel of each sample; shift: of each channel.
  template <class T, class C = compute_t<T>>
  static void normalise(const ChannelRows& s, const T* x, const C* mean, const C* scale, const C* shift, T* y) {
    kernels::for_each_block(s, [&](std::int64_t n, std::int64_t first, std::int64_t rows, std::int64_t) {
      const std::int64_t at = first * s.channels, sample = n * s.channels;
      kernels::normalise_rows(y + at, x + at, mean + sample, scale + sample, shift, rows, s.channels);
    });
  }

  Tensors forward(Context& ctx, const Tensors& in) const {
    const Tensor x = kernels::channels_to_back(in[0]);
    Tensor y = Tensor::empty(x.shape(), x.dtype());
    const ChannelRows s = rows_of(x.shape());
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      using C = compute_t<T>;
      kernels::Moments moments = kernels::moments(x.data<T>(), s);
      join(s, moments.mean.data(), moments.squares.data());
      const std::vector<C> m(moments.mean.begin(), moments.mean.end()), r(moments.squares.begin(), moments.squares.end());
      const auto weight = kernels::values_or<C>(in[1], s.channels, 1), shift = kernels::values_or<C>(in[2], s.channels, 0);
      std::vector<C> scale(r);
      for (std::size_t i = 0; i < scale.size(); ++i) scale[i] *= weight[i % weight.size()];
      normalise(s, x.data<T>(), m.data(), scale.data(), shift.data(), y.data<T>());
      ctx.save({x, kernels::tensor_of(m, dtype_of<C>::value), kernels::tensor_of(r, dtype_of<C>::value), in[1], in[2]});
    });
    return {kernels::channels_to_front(y)};
  }

  Lowering lower() const {
    using Computation = role::Computation;
    return Computation{[*this](const auto& in, const auto& out) -> std::optional<Computation::Bound> {
      const Shape& x = in[0].shape;
      if (x.rank() != 4 || (x[1] > 1 && in[0].strides[1] != 1) || !kernels::alike(in[0], out[0])) return std::nullopt;
      const ChannelRows s{x[0], x[2] * x[3], x[1]};
      return Computation::Bound{[op = *this, s](auto* x, auto* y, float* room) { op.run(s, x[0], x[1], x[2], y[0], room); },
                                kernels::MomentsRoom::size(s) + 2 * s.segments * s.channels + s.channels};
    }};
  }

  // In a plan: x as (N, ..., C); weight and bias may be null.
  void run(const ChannelRows& s, const float* x, const float* weight, const float* bias, float* y, float* room) const {
    const kernels::MomentsRoom m(s, room);
    kernels::moments(x, s, m.partial, m.mean, m.squares);
    join(s, m.mean, m.squares);
    const std::int64_t all = s.segments * s.channels;
    float *mean = room + kernels::MomentsRoom::size(s), *scale = mean + all, *shift = scale + all;
    for (std::int64_t i = 0; i < all; ++i) {
      mean[i] = static_cast<float>(m.mean[i]);
      scale[i] = static_cast<float>(m.squares[i]) * (weight ? weight[i % s.channels] : 1.0f);
    }
    for (std::int64_t c = 0; c < s.channels; ++c) shift[c] = bias ? bias[c] : 0.0f;
    normalise(s, x, mean, scale, shift, y);
  }

  // With s = sum dy and q = sum dy * (x - mean) of a sample's channel, A = sum of weight * s and B = sum of weight * q * rstd
  // over its group of n values:  dx = rstd * (weight * dy - A/n - xhat * B/n).
  template <class T, class C = compute_t<T>>
  Tensor input_gradient(const Context& ctx, const Tensor& dy, const ChannelRows& s, const std::vector<double>& sums) const {
    const C *mean = ctx.saved(1).data<C>(), *rstd = ctx.saved(2).data<C>();
    const auto weight = kernels::values_or<C>(ctx.saved(3), s.channels, 1);
    const auto channels = static_cast<std::size_t>(s.channels), width = channels / static_cast<std::size_t>(groups);
    std::vector<C> a(static_cast<std::size_t>(s.segments) * channels), b(a.size()), d(a.size());
    for (std::size_t first = 0; first < a.size(); first += width) {
      double plain = 0, moved = 0;
      for (std::size_t i = first; i < first + width; ++i) {
        const std::size_t sample = i / channels, c = i % channels;
        plain += static_cast<double>(weight[c]) * sums[2 * sample * channels + c];
        moved += static_cast<double>(weight[c]) * sums[(2 * sample + 1) * channels + c] * static_cast<double>(rstd[i]);
      }
      const double r = static_cast<double>(rstd[first]), n = static_cast<double>(s.rows) * static_cast<double>(width);
      for (std::size_t i = first; i < first + width; ++i) {
        a[i] = weight[i % channels] * rstd[i];
        b[i] = static_cast<C>(-r * r * moved / n);
        d[i] = static_cast<C>(-r * plain / n);
      }
    }
    const Tensor& x = ctx.saved(0);
    Tensor dx = Tensor::empty(x.shape(), x.dtype());
    kernels::for_each_block(s, [&](std::int64_t sample, std::int64_t first, std::int64_t rows, std::int64_t) {
      const std::int64_t at = first * s.channels, i = sample * s.channels;
      kernels::normalise_rows_back(dx.data<T>() + at, dy.data<T>() + at, x.data<T>() + at, mean + i, a.data() + i, b.data() + i,
                                   d.data() + i, rows, s.channels);
    });
    return kernels::channels_to_front(dx);
  }

  Tensors backward(Context& ctx, const Tensors& grads) const {
    const Tensor &x = ctx.saved(0), dy = kernels::channels_to_back(grads[0]).to(x.dtype());
    const ChannelRows s = rows_of(x.shape());
    Tensors out(3);
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      using C = compute_t<T>;
      const auto channels = static_cast<std::size_t>(s.channels);
      const C *mean = ctx.saved(1).data<C>(), *rstd = ctx.saved(2).data<C>();
      const auto sums = kernels::sum_rows<2, C>(s, [&](C* acc, std::int64_t first, std::int64_t rows, std::int64_t sample) {
        const std::int64_t at = first * s.channels;
        kernels::add_gradients(acc, acc + channels, dy.data<T>() + at, x.data<T>() + at, mean + sample * s.channels, rows,
                               s.channels);
      });
      std::vector<double> dbias(channels, 0.0), dweight(channels, 0.0);
      for (std::size_t i = 0; i < static_cast<std::size_t>(s.segments) * channels; ++i) {
        const std::size_t sample = i / channels, c = i % channels;
        dbias[c] += sums[2 * sample * channels + c];
        dweight[c] += sums[(2 * sample + 1) * channels + c] * static_cast<double>(rstd[i]);
      }
      if (ctx.needs(0)) out[0] = input_gradient<T>(ctx, dy, s, sums);
      if (ctx.needs(1)) out[1] = kernels::tensor_of(dweight, ctx.saved(3).dtype());
      if (ctx.needs(2)) out[2] = kernels::tensor_of(dbias, ctx.saved(4).dtype());
    });
    return out;
  }
};

}  // namespace

Var group_norm(const Var& x, int groups, const Var& weight, const Var& bias, double eps) {
  return apply(GroupNorm{groups, eps}, {x, weight, bias});
}

}  // namespace fovea
