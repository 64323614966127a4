#include "modules/ops/softmax.hpp"

#include "modules/core/math.hpp"
#include "modules/core/simd.hpp"
#include "modules/ops/kernels/axis_rows.hpp"
#include "modules/ops/kernels/extent.hpp"

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

// Distributions down `n` neighbouring columns, kMost of them at most.
constexpr std::int64_t kMost = 256;
template <bool logarithm>
FOVEA_SIMD void forward_columns(const float* x, float* y, std::int64_t rows, std::int64_t stride, std::int64_t n) {
  float top[kMost], sum[kMost];
  for (std::int64_t i = 0; i < n; ++i) top[i] = x[i], sum[i] = 0;
  for (std::int64_t r = 1; r < rows; ++r)
    for (std::int64_t i = 0; i < n; ++i) top[i] = x[r * stride + i] > top[i] ? x[r * stride + i] : top[i];
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t i = 0; i < n; ++i) sum[i] += math::exp(x[r * stride + i] - top[i]);
  for (std::int64_t i = 0; i < n; ++i) sum[i] = logarithm ? std::log(sum[i]) : 1 / sum[i];
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t i = 0; i < n; ++i) {
      const float shifted = x[r * stride + i] - top[i];
      y[r * stride + i] = logarithm ? shifted - sum[i] : math::exp(shifted) * sum[i];
    }
}

template <bool logarithm>
void forward_all(const kernels::Extent& e, const float* x, float* y) {
  const std::int64_t pieces = (e.inner + kMost - 1) / kMost, jobs = e.inner == 1 ? e.outer : e.outer * pieces;
  parallel_for(jobs, std::max<std::int64_t>(1, 4096 / (e.size * std::min(e.inner, kMost))),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const std::int64_t column = e.inner == 1 ? 0 : i % pieces * kMost,
                                      at = (e.inner == 1 ? i : i / pieces) * e.size * e.inner + column;
                   if (e.inner == 1) forward_row<float, logarithm>(x + at, y + at, e.size);
                   else forward_columns<logarithm>(x + at, y + at, e.size, e.inner, std::min(kMost, e.inner - column));
                 }
               });
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

  Lowering lower() const {
    using Computation = role::Computation;
    return Computation{[a = axis](const auto& in, const auto& out) -> std::optional<Computation::Bound> {
      const auto e = kernels::extent_of(in[0], in[0].shape.axis(a, name));
      if (!e || !kernels::alike(in[0], out[0])) return std::nullopt;
      return Computation::Bound{[e](auto* x, auto* y, float*) { forward_all<logarithm>(*e, x[0], y[0]); }};
    }};
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
