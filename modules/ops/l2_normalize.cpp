#include "modules/ops/l2_normalize.hpp"

#include <cmath>

#include "modules/autograd/apply.hpp"
#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"
#include "modules/ops/kernels/extent.hpp"

namespace fovea {
namespace {

// The axis brought to the end. Swapping twice is the identity, so the same call leads back.
Tensor last(const Tensor& t, int axis) {
  Shape order;
  for (int i = 0; i < t.rank(); ++i) order.push_back(i);
  std::swap(order[axis], order[t.rank() - 1]);
  return t.permute(order);
}

// The inverse of the bounded norm: 1 / max(|x|, eps).
template <class T, class C = compute_t<T>>
FOVEA_SIMD C forward_row(const T* x, T* y, std::int64_t n, C eps) {
  C sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<C>(x[i]) * static_cast<C>(x[i]);
  const C norm = std::sqrt(sum);
  const C inverse = C(1) / (norm > eps || norm != norm ? norm : eps);
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(static_cast<C>(x[i]) * inverse);
  return inverse;
}

// (g - y (g . y)) / |x|; below eps the divisor is a constant.
template <class T, class C = compute_t<T>>
FOVEA_SIMD void backward_row(const T* x, const T* g, T* out, std::int64_t n, C inverse, bool constant) {
  C along = 0;
#pragma omp simd reduction(+ : along)
  for (std::int64_t i = 0; i < n; ++i) along += static_cast<C>(g[i]) * static_cast<C>(x[i]);
  const C a = constant ? C(0) : along * inverse * inverse;
  for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<T>((static_cast<C>(g[i]) - static_cast<C>(x[i]) * a) * inverse);
}

struct L2Normalize {
  static constexpr std::string_view name = "l2_normalize";
  static constexpr Policy policy = Policy::statistic;
  int axis;
  double eps;

  Shapes infer(const Shapes& in) const {
    in[0].axis(axis, name);
    return {in[0]};
  }

  Tensors forward(Context& c, const Tensors& in) const {
    const int a = in[0].shape().axis(axis, name);
    const Tensor x = last(in[0], a).contiguous(Layout::row_major);
    Tensor y = Tensor::empty(x.shape(), x.dtype()), inverse;
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      using C = compute_t<T>;
      inverse = Tensor::empty({rows(x)}, dtype_of<C>::value);
      each_row(x, [&](std::int64_t r, std::int64_t at, std::int64_t n) {
        inverse.data<C>()[r] = forward_row(x.data<T>() + at, y.data<T>() + at, n, static_cast<C>(eps));
      });
    });
    c.save({x, inverse});
    return {last(y, a).contiguous(in[0].layout())};
  }

  Lowering lower() const {
    using Computation = role::Computation;
    return Computation{[*this](const auto& in, const auto& out) -> std::optional<Computation::Bound> {
      const auto e = kernels::extent_of(in[0], in[0].shape.axis(axis, name));
      if (!e || e->inner != 1 || !kernels::alike(in[0], out[0])) return std::nullopt;
      return Computation::Bound{[e, eps = static_cast<float>(eps)](auto* x, auto* y, float*) {
        parallel_for(e->outer, std::max<std::int64_t>(1, 8192 / e->size), [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t r = begin; r < end; ++r) forward_row(x[0] + r * e->size, y[0] + r * e->size, e->size, eps);
        });
      }};
    }};
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const int a = grads[0].shape().axis(axis, name);
    const Tensor &x = c.saved(0), &inverse = c.saved(1);
    const Tensor g = last(grads[0], a).contiguous(Layout::row_major);
    Tensor out = Tensor::empty(x.shape(), x.dtype());
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      using C = compute_t<T>;
      const C largest = C(1) / static_cast<C>(eps);
      each_row(x, [&](std::int64_t r, std::int64_t at, std::int64_t n) {
        const C s = inverse.data<C>()[r];
        backward_row(x.data<T>() + at, g.data<T>() + at, out.data<T>() + at, n, s, s >= largest);
      });
    });
    return {last(out, a).contiguous(grads[0].layout())};
  }

 private:
  static std::int64_t rows(const Tensor& t) { return t.size() == 0 ? 0 : t.size() / t.dim(-1); }

  template <class F>
  static void each_row(const Tensor& t, const F& f) {
    const std::int64_t n = t.dim(-1);
    parallel_for(rows(t), std::max<std::int64_t>(1, 8192 / std::max<std::int64_t>(n, 1)),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t r = begin; r < end; ++r) f(r, r * n, n);
                 });
  }
};

}  // namespace

Var l2_normalize(const Var& x, int axis, double eps) {
  check(eps > 0, "l2_normalize: expected eps above 0, got ", eps);
  return apply(L2Normalize{axis, eps}, {x});
}

}  // namespace fovea
