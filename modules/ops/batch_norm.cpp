#include "modules/ops/batch_norm.hpp"

#include "modules/autograd/apply.hpp"
#include "modules/ops/kernels/clamped_rows.hpp"

namespace fovea {
namespace {

using kernels::ChannelRows;

template <bool clamped>
struct BatchNorm {
  static constexpr std::string_view name = clamped ? "batch_norm_clamp" : "batch_norm";
  static constexpr Policy policy = Policy::statistic;
  BatchNormOptions options;
  Tensor running_mean, running_var;
  double low = 0, high = 0;

  template <class C>
  kernels::ClampedNorm<C> norm(const C* mean, const std::vector<C>& scale, const std::vector<C>& shift) const {
    return {mean, scale.data(), shift.data(), static_cast<C>(low), static_cast<C>(high)};
  }

  bool training_only() const { return options.training && running_mean.defined(); }

  // With fixed statistics it is a line for each channel; with the batch's it is not.
  Lowering lower() const {
    if (options.training || clamped) return {};
    return role::Affine{running_mean, running_var, options.eps};
  }

  static ChannelRows rows_of(const Shape& x) {
    std::int64_t rows = x[0];
    for (int i = 2; i < x.rank(); ++i) rows *= x[i];
    return {1, rows, x[1]};
  }

  Shapes infer(const Shapes& in) const {
    check(in[0].rank() >= 2, "batch_norm: expected (N, C, ...), got ", in[0]);
    const Shape channels{in[0][1]};
    for (std::size_t i : {1, 2})
      check(in[i].rank() == 0 || in[i] == channels, "batch_norm: expected parameters of shape ", channels, ", got ", in[i]);
    for (const Tensor* t : {&running_mean, &running_var}) {
      check(t->defined() || options.training, "batch_norm: running statistics are needed outside training");
      check(!t->defined() || t->shape() == channels, "batch_norm: expected running statistics of shape ", channels, ", got ",
            t->shape());
    }
    check(!options.training || rows_of(in[0]).rows > 1, "batch_norm: training expected more than one value per channel, got ",
          in[0]);
    return {in[0]};
  }

  static void move(const Tensor& running, const std::vector<double>& now, double factor, double momentum) {
    if (!running.defined()) return;
    std::vector<double> values = running.values();
    for (std::size_t c = 0; c < values.size(); ++c) values[c] += momentum * (factor * now[c] - values[c]);
    Tensor target = running;
    target.copy_from(kernels::tensor_of(values, DType::f64));
    target.touch();
  }

  template <class T>
  void statistics(const T* x, const ChannelRows& s, std::vector<double>& mean, std::vector<double>& var) const {
    if (!options.training) {
      mean = running_mean.values(), var = running_var.values();
      return;
    }
    auto m = kernels::moments(x, s);
    mean = std::move(m.mean), var = std::move(m.squares);
    const auto n = static_cast<double>(s.rows);
    for (double& v : var) v /= n;
    move(running_mean, mean, 1, options.momentum);
    move(running_var, var, n / (n - 1), options.momentum);
  }

  Tensors forward(Context& ctx, const Tensors& in) const {
    const Tensor x = kernels::channels_to_back(in[0]);
    Tensor y = Tensor::empty(x.shape(), x.dtype());
    const ChannelRows s = rows_of(in[0].shape());
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      using C = compute_t<T>;
      std::vector<double> mean, var;
      statistics(x.data<T>(), s, mean, var);
      std::vector<C> m(mean.begin(), mean.end()), rstd(var.size());
      for (std::size_t c = 0; c < rstd.size(); ++c) rstd[c] = static_cast<C>(1 / std::sqrt(var[c] + options.eps));
      const auto weight = kernels::values_or<C>(in[1], s.channels, 1);
      auto shift = kernels::values_or<C>(in[2], s.channels, 0), scale = weight, centre = m;
      for (std::size_t c = 0; c < scale.size(); ++c) scale[c] *= rstd[c];
      if (!options.training)  // fixed statistics: x * scale + shift rounds once, (x - mean) * scale + shift three times
        for (std::size_t c = 0; c < scale.size(); ++c) {
          const double exact = static_cast<double>(weight[c]) / std::sqrt(var[c] + options.eps);
          shift[c] = static_cast<C>(static_cast<double>(shift[c]) - mean[c] * exact);
          scale[c] = static_cast<C>(exact);
          centre[c] = 0;
        }
      kernels::for_each_block(s, [&](std::int64_t, std::int64_t first, std::int64_t rows, std::int64_t) {
        const std::int64_t at = first * s.channels;
        if constexpr (clamped)
          kernels::clamp_normalised(y.data<T>() + at, x.data<T>() + at, norm(centre.data(), scale, shift), rows, s.channels);
        else
          kernels::normalise_rows(y.data<T>() + at, x.data<T>() + at, centre.data(), scale.data(), shift.data(), rows,
                                  s.channels);
      });
      ctx.save({x, kernels::tensor_of(m, dtype_of<C>::value), kernels::tensor_of(rstd, dtype_of<C>::value), in[1], in[2]});
    });
    return {kernels::channels_to_front(y)};
  }

  // With xhat = (x - mean) * rstd, s = sum dy, q = sum dy * (x - mean):
  //   dweight = q * rstd, dbias = s, dx = weight * rstd * (dy - s/n - xhat * q * rstd / n) in training, weight * rstd * dy else.
  Tensors backward(Context& ctx, const Tensors& grads) const {
    const Tensor &x = ctx.saved(0), dy = kernels::channels_to_back(grads[0]).to(x.dtype());
    const ChannelRows s{1, x.size() / std::max<std::int64_t>(x.dim(-1), 1), x.dim(-1)};
    Tensors out(3);
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      using C = compute_t<T>;
      const C *mean = ctx.saved(1).data<C>(), *rstd = ctx.saved(2).data<C>();
      const auto shift = kernels::values_or<C>(ctx.saved(4), s.channels, 0);
      auto scale = kernels::values_or<C>(ctx.saved(3), s.channels, 1);
      const auto channels = static_cast<std::size_t>(s.channels);
      for (std::size_t c = 0; c < channels; ++c) scale[c] *= rstd[c];
      std::vector<double> sums(2 * channels, 0.0);
      if (options.training || ctx.needs(1) || ctx.needs(2))
        sums = kernels::sum_rows<2, C>(s, [&](C* acc, std::int64_t first, std::int64_t rows, std::int64_t) {
          const std::int64_t at = first * s.channels;
          if constexpr (clamped)
            kernels::add_clamped_gradients(acc, acc + channels, dy.data<T>() + at, x.data<T>() + at, norm(mean, scale, shift),
                                           rows, s.channels);
          else kernels::add_gradients(acc, acc + channels, dy.data<T>() + at, x.data<T>() + at, mean, rows, s.channels);
        });
      std::vector<double> dbias(sums.begin(), sums.begin() + s.channels), dweight(sums.begin() + s.channels, sums.end());
      for (std::size_t c = 0; c < channels; ++c) dweight[c] *= static_cast<double>(rstd[c]);
      if (ctx.needs(0)) out[0] = input_gradient<T>(x, dy, s, mean, rstd, scale, shift, dbias, dweight);
      if (ctx.needs(1)) out[1] = kernels::tensor_of(dweight, ctx.saved(3).dtype());
      if (ctx.needs(2)) out[2] = kernels::tensor_of(dbias, ctx.saved(4).dtype());
    });
    return out;
  }

  template <class T, class C = compute_t<T>>
  Tensor input_gradient(const Tensor& x, const Tensor& dy, const ChannelRows& s, const C* mean, const C* rstd,
                        const std::vector<C>& a, const std::vector<C>& shift, const std::vector<double>& dbias,
                        const std::vector<double>& dweight) const {
    const auto channels = static_cast<std::size_t>(s.channels);
    std::vector<C> b(channels, C{0}), d(channels, C{0});
    for (std::size_t c = 0; c < channels && options.training; ++c) {
      const double scale = -static_cast<double>(a[c]) / static_cast<double>(s.rows);
      b[c] = static_cast<C>(scale * dweight[c] * static_cast<double>(rstd[c]));
      d[c] = static_cast<C>(scale * dbias[c]);
    }
    Tensor dx = Tensor::empty(x.shape(), x.dtype());
    kernels::for_each_block(s, [&](std::int64_t, std::int64_t first, std::int64_t rows, std::int64_t) {
      const std::int64_t at = first * s.channels;
      if constexpr (clamped)
        kernels::clamped_back(dx.data<T>() + at, dy.data<T>() + at, x.data<T>() + at, norm(mean, a, shift), b.data(), d.data(),
                              rows, s.channels);
      else
        kernels::normalise_rows_back(dx.data<T>() + at, dy.data<T>() + at, x.data<T>() + at, mean, a.data(), b.data(), d.data(),
                                     rows, s.channels);
    });
    return kernels::channels_to_front(dx);
  }
};

}  // namespace

Var batch_norm(const Var& x, const Var& weight, const Var& bias, const Tensor& running_mean, const Tensor& running_var,
               BatchNormOptions options) {
  return apply(BatchNorm<false>{options, running_mean, running_var}, {x, weight, bias});
}

Var batch_norm_clamp(const Var& x, const Var& weight, const Var& bias, const Tensor& running_mean, const Tensor& running_var,
                     BatchNormOptions options, double low, double high) {
  check(low < high, "batch_norm_clamp: expected low < high, got ", low, " and ", high);
  return apply(BatchNorm<true>{options, running_mean, running_var, low, high}, {x, weight, bias});
}

}  // namespace fovea
