#include "modules/ops/unary.hpp"

#include <numbers>

#include "modules/core/iterate.hpp"
#include "modules/core/math.hpp"
#include "modules/core/simd.hpp"

namespace fovea {
namespace {

// A function: f(x, a, b), and its derivative from what is saved: the input or, where that is enough, the output.
#define FOVEA_FUNCTION(Name, text, from_output, value, derivative)                               \
  struct Name {                                                                                  \
    static constexpr std::string_view name = text;                                               \
    static constexpr bool saves_output = from_output;                                            \
    template <class C>                                                                           \
    static FOVEA_INLINE C f(C x, [[maybe_unused]] C a, [[maybe_unused]] C b) {                   \
      return value;                                                                              \
    }                                                                                            \
    template <class C>                                                                           \
    static FOVEA_INLINE C df([[maybe_unused]] C x, [[maybe_unused]] C a, [[maybe_unused]] C b) { \
      return derivative;                                                                         \
    }                                                                                            \
  };

template <class C>
FOVEA_INLINE C clip(C x, C low, C high) {
  return x < low ? low : (x > high ? high : x);
}
template <class C>
FOVEA_INLINE C hard_gate(C x) {
  return clip(x + C(3), C(0), C(6)) / C(6);
}
template <class C>
FOVEA_INLINE C normal_cdf(C x) {
  return C(0.5) * (C(1) + math::erf(x * C(std::numbers::sqrt2 / 2)));
}
template <class C>
FOVEA_INLINE C normal_pdf(C x) {
  return C(std::numbers::inv_sqrtpi / std::numbers::sqrt2) * math::exp(-C(0.5) * x * x);
}

// In derivatives x is the output where from_output is true, else the input.
FOVEA_FUNCTION(Relu, "relu", true, x > C(0) ? x : (x != x ? x : C(0)), x > C(0) ? C(1) : C(0))
FOVEA_FUNCTION(LeakyRelu, "leaky_relu", false, x > C(0) ? x : a * x, x > C(0) ? C(1) : a)
FOVEA_FUNCTION(Relu6, "relu6", true, clip(x, a, b), x > a && x < b ? C(1) : C(0))
FOVEA_FUNCTION(Sigmoid, "sigmoid", true, math::sigmoid(x), x*(C(1) - x))
FOVEA_FUNCTION(Tanh, "tanh", true, math::tanh(x), C(1) - x * x)
FOVEA_FUNCTION(HardSigmoid, "hard_sigmoid", false, hard_gate(x), x > C(-3) && x < C(3) ? C(1) / C(6) : C(0))
FOVEA_FUNCTION(HardSwish, "hard_swish", false, x* hard_gate(x), x <= C(-3) ? C(0) : (x >= C(3) ? C(1) : x / C(3) + C(0.5)))
FOVEA_FUNCTION(Silu, "silu", false, x* math::sigmoid(x), math::sigmoid(x) * (C(1) + x * (C(1) - math::sigmoid(x))))
FOVEA_FUNCTION(Gelu, "gelu", false, x* normal_cdf(x), normal_cdf(x) + x * normal_pdf(x))
FOVEA_FUNCTION(Elu, "elu", false, x > C(0) ? x : a * (math::exp(x) - C(1)), x > C(0) ? C(1) : a * math::exp(x))
FOVEA_FUNCTION(Softplus, "softplus", false, (x > C(0) ? x : C(0)) + math::log1p_unit(math::exp(-std::fabs(x))), math::sigmoid(x))
FOVEA_FUNCTION(Exp, "exp", true, math::exp(x), x)
FOVEA_FUNCTION(Log, "log", false, std::log(x), C(1) / x)
FOVEA_FUNCTION(Sqrt, "sqrt", true, std::sqrt(x), C(0.5) / x)
FOVEA_FUNCTION(Pow, "pow", false, std::pow(x, a), a == C(0) ? C(0) : a * std::pow(x, a - C(1)))
FOVEA_FUNCTION(Clamp, "clamp", false, clip(x, a, b), x >= a && x <= b ? C(1) : C(0))
FOVEA_FUNCTION(Scale, "scale", true, a* x + b, a)
#undef FOVEA_FUNCTION

template <class F, class T>
FOVEA_SIMD void value_row(T* out, const T* in, std::int64_t n, std::int64_t so, std::int64_t si, compute_t<T> a, compute_t<T> b) {
  using C = compute_t<T>;
  if (so == 1 && si == 1) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = F::template f<C>(static_cast<C>(in[i]), a, b);
  } else {
    for (std::int64_t i = 0; i < n; ++i) out[i * so] = F::template f<C>(static_cast<C>(in[i * si]), a, b);
  }
}

template <class F, class T>
FOVEA_SIMD void gradient_row(T* out, const T* grad, const T* saved, std::int64_t n, std::int64_t so, std::int64_t sg,
                             std::int64_t ss, compute_t<T> a, compute_t<T> b) {
  using C = compute_t<T>;
  if (so == 1 && sg == 1 && ss == 1) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<C>(grad[i]) * F::template df<C>(static_cast<C>(saved[i]), a, b);
  } else {
    for (std::int64_t i = 0; i < n; ++i)
      out[i * so] = static_cast<C>(grad[i * sg]) * F::template df<C>(static_cast<C>(saved[i * ss]), a, b);
  }
}

template <class F>
void lowered_row(float* y, const float* x, std::int64_t n, float a, float b) {
  value_row<F, float>(y, x, n, 1, 1, a, b);
}

// The same function behind one of oneDNN's convolutions.
template <class F>
std::optional<dnn::Eltwise> eltwise(float a, float b) {
  using Kind = dnn::Eltwise::Kind;
  if constexpr (std::is_same_v<F, Relu>) return dnn::Eltwise{Kind::relu};
  else if constexpr (std::is_same_v<F, LeakyRelu>) return dnn::Eltwise{Kind::relu, a};
  else if constexpr (std::is_same_v<F, Relu6> || std::is_same_v<F, Clamp>) return dnn::Eltwise{Kind::clip, a, b};
  else if constexpr (std::is_same_v<F, Sigmoid>) return dnn::Eltwise{Kind::sigmoid};
  else if constexpr (std::is_same_v<F, Tanh>) return dnn::Eltwise{Kind::tanh};
  else if constexpr (std::is_same_v<F, HardSwish>) return dnn::Eltwise{Kind::hard_swish};
  else if constexpr (std::is_same_v<F, Silu>) return dnn::Eltwise{Kind::silu};
  else return std::nullopt;
}

template <class F>
constexpr role::Pointwise::Inline inlined() {
  using Inline = role::Pointwise::Inline;
  if constexpr (std::is_same_v<F, Relu>) return Inline::relu;
  else if constexpr (std::is_same_v<F, LeakyRelu>) return Inline::leaky_relu;
  else if constexpr (std::is_same_v<F, Relu6> || std::is_same_v<F, Clamp>) return Inline::clip;
  else if constexpr (std::is_same_v<F, Scale>) return Inline::scale;
  else return Inline::none;
}

template <class F>
struct Unary {
  static constexpr std::string_view name = F::name;
  static constexpr Policy policy = Policy::pointwise;
  double a = 0, b = 0;

  Shapes infer(const Shapes& in) const { return {in[0]}; }
  Lowering lower() const {
    const auto fa = static_cast<float>(a), fb = static_cast<float>(b);
    return role::Pointwise{lowered_row<F>, fa, fb, eltwise<F>(fa, fb), inlined<F>()};
  }

  Tensors forward(Context& c, const Tensors& in) const {
    Tensor out = Tensor::like(in[0]);
    dispatch_compute(out.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      for_each_row<2>(out.shape(), {operand(out), operand(in[0])}, [&](std::int64_t n, const auto& p, const auto& s) {
        value_row<F>(static_cast<T*>(p[0]), static_cast<const T*>(p[1]), n, s[0], s[1], static_cast<compute_t<T>>(a),
                     static_cast<compute_t<T>>(b));
      });
    });
    c.save({F::saves_output ? out : in[0]});
    return {out};
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor& saved = c.saved(0);
    Tensor out = Tensor::like(saved);
    dispatch_compute(out.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      for_each_row<3>(out.shape(), {operand(out), operand(grads[0]), operand(saved)},
                      [&](std::int64_t n, const auto& p, const auto& s) {
                        gradient_row<F>(static_cast<T*>(p[0]), static_cast<const T*>(p[1]), static_cast<const T*>(p[2]), n, s[0],
                                        s[1], s[2], static_cast<compute_t<T>>(a), static_cast<compute_t<T>>(b));
                      });
    });
    return {out};
  }
};

}  // namespace

Var relu(const Var& x) { return apply(Unary<Relu>{}, {x}); }
Var leaky_relu(const Var& x, double slope) { return apply(Unary<LeakyRelu>{slope}, {x}); }
Var relu6(const Var& x) { return apply(Unary<Relu6>{0, 6}, {x}); }
Var sigmoid(const Var& x) { return apply(Unary<Sigmoid>{}, {x}); }
Var tanh(const Var& x) { return apply(Unary<Tanh>{}, {x}); }
Var hard_sigmoid(const Var& x) { return apply(Unary<HardSigmoid>{}, {x}); }
Var hard_swish(const Var& x) { return apply(Unary<HardSwish>{}, {x}); }
Var silu(const Var& x) { return apply(Unary<Silu>{}, {x}); }
Var gelu(const Var& x) { return apply(Unary<Gelu>{}, {x}); }
Var elu(const Var& x, double alpha) { return apply(Unary<Elu>{alpha}, {x}); }
Var softplus(const Var& x) { return apply(Unary<Softplus>{}, {x}); }
Var exp(const Var& x) { return apply(Unary<Exp>{}, {x}); }
Var log(const Var& x) { return apply(Unary<Log>{}, {x}); }
Var sqrt(const Var& x) { return apply(Unary<Sqrt>{}, {x}); }
Var pow(const Var& x, double exponent) { return apply(Unary<Pow>{exponent}, {x}); }
Var clamp(const Var& x, double low, double high) {
  check(low <= high, "clamp: expected low <= high, got ", low, " and ", high);
  return apply(Unary<Clamp>{low, high}, {x});
}
Var neg(const Var& x) { return scale(x, -1); }
Var scale(const Var& x, double factor, double shift) { return apply(Unary<Scale>{factor, shift}, {x}); }

}  // namespace fovea
