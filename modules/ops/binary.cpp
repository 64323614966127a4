#include "modules/ops/binary.hpp"

#include "modules/core/iterate.hpp"
#include "modules/core/reduce.hpp"
#include "modules/core/simd.hpp"
#include "modules/ops/gate.hpp"

namespace fovea {
namespace {

// An operation f(a, b) and its partial derivatives.
#define FOVEA_OPERATION(Name, text, saved, value, by_a, by_b)              \
  struct Name {                                                            \
    static constexpr std::string_view name = text;                         \
    static constexpr bool needs_inputs = saved;                            \
    template <class C>                                                     \
    static FOVEA_INLINE C f(C a, C b) {                                    \
      return value;                                                        \
    }                                                                      \
    template <class C>                                                     \
    static FOVEA_INLINE C da([[maybe_unused]] C a, [[maybe_unused]] C b) { \
      return by_a;                                                         \
    }                                                                      \
    template <class C>                                                     \
    static FOVEA_INLINE C db([[maybe_unused]] C a, [[maybe_unused]] C b) { \
      return by_b;                                                         \
    }                                                                      \
  };
FOVEA_OPERATION(Add, "add", false, a + b, C(1), C(1))
FOVEA_OPERATION(Sub, "sub", false, a - b, C(1), C(-1))
FOVEA_OPERATION(Mul, "mul", true, a* b, b, a)
FOVEA_OPERATION(Div, "div", true, a / b, C(1) / b, -a / (b * b))
FOVEA_OPERATION(Maximum, "maximum", true, a > b || a != a ? a : b, a > b ? C(1) : (a == b ? C(0.5) : C(0)),
                a < b ? C(1) : (a == b ? C(0.5) : C(0)))
#undef FOVEA_OPERATION

template <class F, class T>
FOVEA_SIMD void value_row(T* out, const T* a, const T* b, std::int64_t n, std::int64_t so, std::int64_t sa, std::int64_t sb) {
  using C = compute_t<T>;
  if (so == 1 && sa == 1 && sb == 1) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = F::template f<C>(a[i], b[i]);
  } else if (so == 1 && sa == 1 && sb == 0) {
    const C scalar = b[0];
    for (std::int64_t i = 0; i < n; ++i) out[i] = F::template f<C>(a[i], scalar);
  } else {
    for (std::int64_t i = 0; i < n; ++i) out[i * so] = F::template f<C>(a[i * sa], b[i * sb]);
  }
}

// y = f(x, g) or, swapped, f(g, x) for a BroadcastRow (lowering.hpp).
template <class F, bool swapped>
FOVEA_SIMD void broadcast_row(float* y, const float* x, const float* g, const BroadcastRow& r) {
  auto one = [](float a, float b) __attribute__((always_inline)) { return swapped ? F::f(b, a) : F::f(a, b); };
  for (std::int64_t p = 0; p < r.positions; ++p, y += r.width, x += r.width, g += r.position_stride) {
    if (r.element_stride) {
      for (std::int64_t i = 0; i < r.width; ++i) y[i] = one(x[i], g[i]);
    } else {
      const float scalar = g[0];
      for (std::int64_t i = 0; i < r.width; ++i) y[i] = one(x[i], scalar);
    }
  }
}

// out = grad * d/da or d/db.
template <class F, bool first, class T>
FOVEA_SIMD void gradient_row(T* out, const T* g, const T* a, const T* b, std::int64_t n, const std::array<std::int64_t, 4>& s) {
  using C = compute_t<T>;
  auto one = [](C grad, C x, C y) __attribute__((always_inline)) {
    if constexpr (first) return grad * F::template da<C>(x, y);
    else return grad * F::template db<C>(x, y);
  };
  if (s[0] == 1 && s[1] == 1 && s[2] == 1 && s[3] == 1) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = one(g[i], a[i], b[i]);
  } else if (s[0] == 1 && s[1] == 1 && s[2] == 1 && s[3] == 0) {
    const C y = b[0];
    for (std::int64_t i = 0; i < n; ++i) out[i] = one(g[i], a[i], y);
  } else {
    for (std::int64_t i = 0; i < n; ++i) out[i * s[0]] = one(g[i * s[1]], a[i * s[2]], b[i * s[3]]);
  }
}

// The layout of the result: that of the operand which has the result's shape.
Tensor result_like(const Tensor& a, const Tensor& b, const Shape& shape) {
  const Tensor& model = a.shape() == shape ? a : b;
  const bool map = shape.rank() == 4 && (model.shape() == shape ? model : a).layout() == Layout::channels_last;
  return Tensor::empty(shape, a.dtype(), map ? Layout::channels_last : Layout::row_major);
}

template <class F>
struct Binary {
  static constexpr std::string_view name = F::name;
  static constexpr Policy policy = Policy::pointwise;
  Shape a_shape, b_shape;

  Shapes infer(const Shapes& in) const { return {broadcast(in[0], in[1], name)}; }

  Tensors forward(Context& c, const Tensors& in) const {
    const Shape shape = broadcast(a_shape, b_shape, name);
    check(in[0].dtype() == in[1].dtype(), name, ": expected one element type, got ", name_of(in[0].dtype()), " and ",
          name_of(in[1].dtype()));
    Tensor out = result_like(in[0], in[1], shape);
    dispatch_compute(out.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      for_each_row<3>(shape, {operand(out), operand(in[0].expand(shape)), operand(in[1].expand(shape))},
                      [](std::int64_t n, const auto& p, const auto& s) {
                        value_row<F>(static_cast<T*>(p[0]), static_cast<const T*>(p[1]), static_cast<const T*>(p[2]), n, s[0],
                                     s[1], s[2]);
                      });
    });
    if constexpr (F::needs_inputs) c.save({in[0], in[1]});
    return {out};
  }

  Lowering lower() const {
    return role::Binary{broadcast_row<F, false>, broadcast_row<F, true>, std::is_same_v<F, Add>, std::is_same_v<F, Mul>};
  }

  template <bool first>
  Tensor gradient(Context& c, const Tensor& grad) const {
    const Shape& target = first ? a_shape : b_shape;
    if constexpr (!F::needs_inputs && (first || std::is_same_v<F, Add>)) return sum_to(grad, target);
    const Tensor a = F::needs_inputs ? c.saved(0).expand(grad.shape()) : grad,
                 b = F::needs_inputs ? c.saved(1).expand(grad.shape()) : grad;
    Tensor out = Tensor::like(grad);
    dispatch_compute(grad.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      for_each_row<4>(grad.shape(), {operand(out), operand(grad), operand(a), operand(b)},
                      [](std::int64_t n, const auto& p, const auto& s) {
                        gradient_row<F, first>(static_cast<T*>(p[0]), static_cast<const T*>(p[1]), static_cast<const T*>(p[2]),
                                               static_cast<const T*>(p[3]), n, s);
                      });
    });
    return sum_to(out, target);
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    Tensors out(2);
    if (c.needs(0)) out[0] = gradient<true>(c, grads[0]);
    if (c.needs(1)) out[1] = gradient<false>(c, grads[0]);
    return out;
  }
};

template <class F>
Var binary(const Var& a, const Var& b) {
  return apply(Binary<F>{a.shape(), b.shape()}, {a, b});
}

}  // namespace

Var add(const Var& a, const Var& b) { return binary<Add>(a, b); }
Var sub(const Var& a, const Var& b) { return binary<Sub>(a, b); }
Var mul(const Var& a, const Var& b) {
  // A gate's rows are short: it has kernels of its own.
  if (is_gate(a.shape(), b.shape())) return gate(a, b);
  if (is_gate(b.shape(), a.shape())) return gate(b, a);
  return binary<Mul>(a, b);
}
Var div(const Var& a, const Var& b) { return binary<Div>(a, b); }
Var maximum(const Var& a, const Var& b) { return binary<Maximum>(a, b); }

}  // namespace fovea
