#include "modules/ops/softmax.hpp"

#include "modules/core/math.hpp"
#include "modules/core/simd.hpp"
#include "modules/ops/kernels/axis_rows.hpp"

namespace fovea {
namespace {

using kernels::axis_to_back;

template <class T, bool logarithm>
FOVEA_SIMD void forward_row(const T* x, T* y, std::int64_t n) {
  using C = compute_t<T>;
  C top = x[0];
  for (std::int64_t i = 1; i < n; ++i) top = static_cast<C>(x[i]) > top ? static_cast<C>(x[i]) : top;
  // A row of -inf alone (everything masked) has no distribution: NaN, as PyTorch gives.
  C sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += math::exp(static_cast<C>(x[i]) - top);
  const C log_sum = std::log(sum), inverse = C(1) / sum;
  for (std::int64_t i = 0; i < n; ++i) {
    const C shifted = static_cast<C>(x[i]) - top;
    y[i] = logarithm ? shifted - log_sum : math::exp(shifted) * inverse;
  }
}

// softmax: y (g - sum g y). log-softmax: g - exp(y) sum g.
template <class T, bool logarithm>
FOVEA_SIMD void backward_row(const T* y, const T* g, T* out, std::int64_t n) {
  using C = compute_t<T>;
  C sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += logarithm ? static_cast<C>(g[i]) : static_cast<C>(g[i]) * static_cast<C>(y[i]);
  for (std::int64_t i = 0; i < n; ++i) {
    const C value = y[i], grad = g[i];
    out[i] = logarithm ? grad - math::exp(value) * sum : value * (grad - sum);
  }
}

template <bool logarithm>
struct Softmax {
  static constexpr std::string_view name = logarithm ? "log_softmax" : "softmax";
  static constexpr Policy policy = Policy::statistic;
  int axis;

  Shapes infer(const Shapes& in) const {
    in[0].axis(axis, name);
    return {in[0]};
  }

  Tensors forward(Context& c, const Tensors& in) const {
    const int a = in[0].shape().axis(axis, name);
    const Tensor x = axis_to_back(in[0], a).contiguous(Layout::row_major);
    Tensor y = Tensor::empty(x.shape(), x.dtype());
    kernels::for_each_axis_row(x, name, 4096, [&](auto zero, std::int64_t at, std::int64_t n) {
      using T = decltype(zero);
      forward_row<T, logarithm>(x.data<T>() + at, y.data<T>() + at, n);
    });
    c.save({y});
    return {axis_to_back(y, a).contiguous(in[0].layout())};
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const int a = grads[0].shape().axis(axis, name);
    const Tensor& y = c.saved(0);
    const Tensor g = axis_to_back(grads[0], a).contiguous(Layout::row_major);
    Tensor out = Tensor::empty(y.shape(), y.dtype());
    kernels::for_each_axis_row(y, name, 4096, [&](auto zero, std::int64_t at, std::int64_t n) {
      using T = decltype(zero);
      backward_row<T, logarithm>(y.data<T>() + at, g.data<T>() + at, out.data<T>() + at, n);
    });
    return {axis_to_back(out, a).contiguous(grads[0].layout())};
  }
};

}  // namespace

Var softmax(const Var& x, int axis) { return apply(Softmax<false>{axis}, {x}); }
Var log_softmax(const Var& x, int axis) { return apply(Softmax<true>{axis}, {x}); }

}  // namespace fovea
