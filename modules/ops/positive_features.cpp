#include "modules/ops/positive_features.hpp"

#include <cmath>

#include "modules/autograd/apply.hpp"
#include "modules/core/math.hpp"
#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

template <class T, class C = compute_t<T>>
FOVEA_SIMD C largest(const T* u, std::int64_t n) {
  C top = u[0];
  for (std::int64_t i = 1; i < n; ++i) top = static_cast<C>(u[i]) > top ? static_cast<C>(u[i]) : top;
  return top;
}

template <class T, class C = compute_t<T>>
FOVEA_SIMD void forward_row(const T* u, T* y, std::int64_t n, C shift, C ratio, C eps) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(ratio * (math::exp(static_cast<C>(u[i]) - shift) + eps));
}

// du = g (y - ratio eps); gives minus its sum, which is dh.
template <class T, class C = compute_t<T>>
FOVEA_SIMD C backward_row(const T* y, const T* g, T* out, std::int64_t n, C floor) {
  C sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) {
    const C d = static_cast<C>(g[i]) * (static_cast<C>(y[i]) - floor);
    sum += d;
    out[i] = static_cast<T>(d);
  }
  return -sum;
}

struct PositiveFeatures {
  static constexpr std::string_view name = "positive_features";
  static constexpr Policy policy = Policy::statistic;
  double eps;
  bool whole;

  Shapes infer(const Shapes& in) const {
    const Shape &u = in[0], &h = in[1];
    check(u.rank() >= 2 && u[u.rank() - 1] > 0, name, ": expected projections ... x L x m, got ", u);
    check(h == u.with(u.rank() - 1, 1), name, ": expected half squared norms ", u.with(u.rank() - 1, 1), ", got ", h);
    return {u};
  }

  Tensors forward(Context& c, const Tensors& in) const {
    const Tensor u = in[0].contiguous(Layout::row_major), h = in[1].to(u.dtype()).contiguous(Layout::row_major);
    Tensor y = Tensor::empty(u.shape(), u.dtype());
    const std::int64_t m = u.dim(-1), length = u.dim(-2), groups = u.size() == 0 ? 0 : u.size() / (m * length);
    dispatch_compute(u.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      using C = compute_t<T>;
      const C ratio = C(1) / std::sqrt(static_cast<C>(m));
      parallel_for(groups, std::max<std::int64_t>(1, 4096 / (m * length + 1)), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t g = begin; g < end; ++g) {
          const T* block = u.data<T>() + g * length * m;
          const C all = whole ? largest(block, length * m) : C(0);
          for (std::int64_t i = 0; i < length; ++i) {
            const C top = whole ? all : largest(block + i * m, m);
            forward_row(block + i * m, y.data<T>() + (g * length + i) * m, m, top + static_cast<C>(h.data<T>()[g * length + i]),
                        ratio, static_cast<C>(eps));
          }
        }
      });
    });
    c.save({y});
    return {y};
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor& y = c.saved(0);
    const Tensor g = grads[0].contiguous(Layout::row_major);
    const std::int64_t m = y.dim(-1), rows = y.size() / m;
    Tensor du = Tensor::empty(y.shape(), y.dtype()), dh = Tensor::empty(y.shape().with(y.rank() - 1, 1), y.dtype());
    dispatch_compute(y.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      using C = compute_t<T>;
      const C floor = static_cast<C>(eps) / std::sqrt(static_cast<C>(m));
      parallel_for(rows, std::max<std::int64_t>(1, 4096 / m), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r)
          dh.data<T>()[r] =
              static_cast<T>(backward_row(y.data<T>() + r * m, g.data<T>() + r * m, du.data<T>() + r * m, m, floor));
      });
    });
    return {du, dh};
  }
};

}  // namespace

Var positive_features(const Var& u, const Var& h, double eps, bool whole) { return apply(PositiveFeatures{eps, whole}, {u, h}); }

}  // namespace fovea
