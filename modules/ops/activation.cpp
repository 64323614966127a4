#include "modules/ops/activation.hpp"

#include "modules/core/iterate.hpp"
#include "modules/core/math.hpp"
#include "modules/core/simd.hpp"

namespace fovea {
namespace {

using dnn::Activation;

struct LeakyRelu {
  template <class C>
  static FOVEA_INLINE C f(C x, C slope) {
    return x > C(0) ? x : slope * x;
  }
  template <class C>
  static FOVEA_INLINE C df(C y, C slope) {
    return y > C(0) ? C(1) : slope;
  }
};
struct Sigmoid {
  template <class C>
  static FOVEA_INLINE C f(C x, C) {
    return math::sigmoid(x);
  }
  template <class C>
  static FOVEA_INLINE C df(C y, C) {
    return y * (C(1) - y);
  }
};
struct Tanh {
  template <class C>
  static FOVEA_INLINE C f(C x, C) {
    return math::tanh(x);
  }
  template <class C>
  static FOVEA_INLINE C df(C y, C) {
    return C(1) - y * y;
  }
};

template <class F, class T>
FOVEA_SIMD void value_row(T* y, std::int64_t n, std::int64_t step, compute_t<T> slope) {
  for (std::int64_t i = 0; i < n; ++i) y[i * step] = F::template f<compute_t<T>>(y[i * step], slope);
}

template <class F>
FOVEA_SIMD void lowered_row(float* y, const float* x, std::int64_t n, float slope, float) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = F::f(x[i], slope);
}

template <class F, class T>
FOVEA_SIMD void gradient_row(T* out, const T* grad, const T* y, std::int64_t n, const std::array<std::int64_t, 3>& s,
                             compute_t<T> slope) {
  using C = compute_t<T>;
  if (s[0] == 1 && s[1] == 1 && s[2] == 1) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<C>(grad[i]) * F::template df<C>(y[i], slope);
  } else {
    for (std::int64_t i = 0; i < n; ++i) out[i * s[0]] = static_cast<C>(grad[i * s[1]]) * F::template df<C>(y[i * s[2]], slope);
  }
}

// relu is leaky relu with slope 0.
template <class F>
void with_function(Activation a, double& slope, const F& f) {
  if (a == Activation::relu) slope = 0;
  if (a == Activation::sigmoid) f(Sigmoid{});
  else if (a == Activation::tanh) f(Tanh{});
  else f(LeakyRelu{});
}

}  // namespace

void activate(Activation a, double slope, Tensor& y) {
  if (a == Activation::none) return;
  with_function(a, slope, [&](auto function) {
    dispatch_compute(y.dtype(), "activation", [&](auto zero) {
      using T = decltype(zero);
      for_each_row<1>(y.shape(), {operand(y)}, [&](std::int64_t n, const auto& p, const auto& s) {
        value_row<decltype(function)>(static_cast<T*>(p[0]), n, s[0], static_cast<compute_t<T>>(slope));
      });
    });
  });
}

Tensor activation_backward(Activation a, double slope, const Tensor& grad, const Tensor& y) {
  if (a == Activation::none) return grad;
  Tensor out = Tensor::like(y);
  with_function(a, slope, [&](auto function) {
    dispatch_compute(y.dtype(), "activation", [&](auto zero) {
      using T = decltype(zero);
      for_each_row<3>(y.shape(), {operand(out), operand(grad), operand(y)}, [&](std::int64_t n, const auto& p, const auto& s) {
        gradient_row<decltype(function)>(static_cast<T*>(p[0]), static_cast<const T*>(p[1]), static_cast<const T*>(p[2]), n, s,
                                         static_cast<compute_t<T>>(slope));
      });
    });
  });
  return out;
}

std::optional<role::Pointwise> activation_role(Activation a, double slope) {
  using Kind = dnn::Eltwise::Kind;
  if (a == Activation::none) return std::nullopt;
  std::optional<role::Pointwise> out;
  with_function(a, slope, [&](auto function) {
    const auto s = static_cast<float>(slope);
    const Kind kind = a == Activation::sigmoid ? Kind::sigmoid : a == Activation::tanh ? Kind::tanh : Kind::relu;
    using Inline = role::Pointwise::Inline;
    const Inline inlined = std::is_same_v<decltype(function), LeakyRelu> ? Inline::leaky_relu : Inline::none;
    out = role::Pointwise{lowered_row<decltype(function)>, s, 0, dnn::Eltwise{kind, s}, inlined};
  });
  return out;
}

}  // namespace fovea
