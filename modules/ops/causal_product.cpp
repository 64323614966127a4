#include "modules/ops/causal_product.hpp"

#include <algorithm>
#include <vector>

#include "modules/autograd/apply.hpp"
#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

struct Sizes {
  std::int64_t length, d, m;
};

// One head: state += k_i v_i^T, y_i = q_i state, in one pass over the state for every position.
template <class T, class C = compute_t<T>>
FOVEA_SIMD void walk(const T* q, const T* k, const T* v, T* y, C* state, C* row, C* value, Sizes s, bool reverse) {
  for (std::int64_t step = 0; step < s.length; ++step) {
    const std::int64_t i = reverse ? s.length - 1 - step : step;
    for (std::int64_t b = 0; b < s.m; ++b) value[b] = static_cast<C>(v[i * s.m + b]), row[b] = C(0);
    for (std::int64_t a = 0; a < s.d; ++a) {
      const C ka = k[i * s.d + a], qa = q[i * s.d + a];
      C* line = state + a * s.m;
#pragma omp simd
      for (std::int64_t b = 0; b < s.m; ++b) {
        const C moved = line[b] + ka * value[b];
        line[b] = moved;
        row[b] += qa * moved;
      }
    }
    for (std::int64_t b = 0; b < s.m; ++b) y[i * s.m + b] = static_cast<T>(row[b]);
  }
}

Tensor product(const Tensor& q_any, const Tensor& k_any, const Tensor& v_any, bool reverse) {
  const Tensor q = q_any.contiguous(Layout::row_major), k = k_any.contiguous(Layout::row_major),
               v = v_any.contiguous(Layout::row_major);
  const Sizes s{q.dim(2), q.dim(3), v.dim(3)};
  Tensor y = Tensor::empty(v.shape(), v.dtype());
  dispatch_compute(v.dtype(), "causal_product", [&](auto zero) {
    using T = decltype(zero);
    using C = compute_t<T>;
    parallel_for(v.dim(0) * v.dim(1), 1, [&](std::int64_t begin, std::int64_t end) {
      std::vector<C> state(static_cast<std::size_t>(s.d * s.m)), row(static_cast<std::size_t>(s.m)), value(row.size());
      for (std::int64_t h = begin; h < end; ++h) {
        std::fill(state.begin(), state.end(), C(0));
        const std::int64_t wide = h * s.length * s.d, narrow = h * s.length * s.m;
        walk(q.data<T>() + wide, k.data<T>() + wide, v.data<T>() + narrow, y.data<T>() + narrow, state.data(), row.data(),
             value.data(), s, reverse);
      }
    });
  });
  return y;
}

struct CausalProduct {
  static constexpr std::string_view name = "causal_product";
  static constexpr Policy policy = Policy::contraction;
  bool reverse;

  Shapes infer(const Shapes& in) const {
    const Shape &q = in[0], &k = in[1], &v = in[2];
    check(q.rank() == 4 && q == k, name, ": expected queries and keys of one shape N x h x L x d, got ", q, " and ", k);
    check(v.rank() == 4 && v.with(3, 1) == q.with(3, 1), name, ": expected values ", q.with(3, -1), " (-1: any), got ", v);
    return {v};
  }
  Tensors forward(Context& c, const Tensors& in) const {
    c.save({in[0], in[1], in[2]});
    return {product(in[0], in[1], in[2], reverse)};
  }
  // The weight of j in y_i is q_i . k_j, so each gradient is such a sum again: towards i the same way, towards j the other way.
  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor &q = c.saved(0), &k = c.saved(1), &v = c.saved(2), &g = grads[0];
    Tensors out(3);
    if (c.needs(0)) out[0] = product(g, v, k, reverse);
    if (c.needs(1)) out[1] = product(v, g, q, !reverse);
    if (c.needs(2)) out[2] = product(k, q, g, !reverse);
    return out;
  }
  std::int64_t multiply_adds(const Shapes& in, const Shapes& out) const { return 2 * out[0].elements() * in[0][3]; }
};

}  // namespace

Var causal_product(const Var& q, const Var& k, const Var& v, bool reverse) { return apply(CausalProduct{reverse}, {q, k, v}); }

}  // namespace fovea
