#include "modules/ops/where.hpp"

#include "modules/autograd/apply.hpp"
#include "modules/core/iterate.hpp"
#include "modules/core/reduce.hpp"
#include "modules/core/simd.hpp"

namespace fovea {
namespace {

template <class T>
FOVEA_SIMD void choose_row(T* y, const T* a, const T* b, const std::uint8_t* mask, std::int64_t n,
                           const std::array<std::int64_t, 4>& s) {
  if (s[0] == 1 && s[1] == 1 && s[2] == 1 && s[3] == 1) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = mask[i] ? a[i] : b[i];
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i * s[0]] = mask[i * s[3]] ? a[i * s[1]] : b[i * s[2]];
  }
}

// y = mask ? a : b over y's shape; the others broadcast to it.
void choose(Tensor& y, const Tensor& mask, const Tensor& a, const Tensor& b) {
  check(mask.dtype() == DType::boolean, "where: expected a mask of bool, got ", name_of(mask.dtype()));
  check(a.dtype() == b.dtype(), "where: expected one element type, got ", name_of(a.dtype()), " and ", name_of(b.dtype()));
  const Shape& shape = y.shape();
  dispatch_compute(y.dtype(), "where", [&](auto zero) {
    using T = decltype(zero);
    for_each_row<4>(shape, {operand(y), operand(a.expand(shape)), operand(b.expand(shape)), operand(mask.expand(shape))},
                    [](std::int64_t n, const auto& p, const auto& s) {
                      choose_row(static_cast<T*>(p[0]), static_cast<const T*>(p[1]), static_cast<const T*>(p[2]),
                                 static_cast<const std::uint8_t*>(p[3]), n, s);
                    });
  });
}

Layout layout_of(const Shape& shape, const Tensor& a, const Tensor& b) {
  for (const Tensor* t : {&a, &b})
    if (t->shape() == shape && t->layout() == Layout::channels_last) return Layout::channels_last;
  return Layout::row_major;
}

struct Where {
  static constexpr std::string_view name = "where";
  static constexpr Policy policy = Policy::pointwise;
  Shape a, b;

  Shapes infer(const Shapes& in) const { return {broadcast(broadcast(in[1], in[2], name), in[0], name)}; }

  Tensors forward(Context& c, const Tensors& in) const {
    const Shape shape = infer({in[0].shape(), in[1].shape(), in[2].shape()})[0];
    Tensor y = Tensor::empty(shape, in[1].dtype(), layout_of(shape, in[1], in[2]));
    choose(y, in[0], in[1], in[2]);
    c.save({in[0]});
    return {y};
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor zero = Tensor::zeros({}, grads[0].dtype());
    auto gradient = [&](const Tensor& chosen, const Tensor& other, const Shape& shape) {
      Tensor g = Tensor::like(grads[0]);
      choose(g, c.saved(0), chosen, other);
      return sum_to(g, shape);
    };
    Tensors out(3);
    if (c.needs(1)) out[1] = gradient(grads[0], zero, a);
    if (c.needs(2)) out[2] = gradient(zero, grads[0], b);
    return out;
  }
};

struct MaskedFill {
  static constexpr std::string_view name = "masked_fill";
  static constexpr Policy policy = Policy::pointwise;
  double value;

  Shapes infer(const Shapes& in) const {
    check(broadcast(in[0], in[1], name) == in[0], "masked_fill: expected a mask that broadcasts to ", in[0], ", got ", in[1]);
    return {in[0]};
  }
  Tensors forward(Context& c, const Tensors& in) const {
    Tensor y = Tensor::like(in[0]);
    choose(y, in[1], Tensor::full({}, value, in[0].dtype()), in[0]);
    c.save({in[1]});
    return {y};
  }
  Tensors backward(Context& c, const Tensors& grads) const {
    Tensor dx = Tensor::like(grads[0]);
    choose(dx, c.saved(0), Tensor::zeros({}, grads[0].dtype()), grads[0]);
    return {dx};
  }
};

}  // namespace

Var where(const Var& mask, const Var& a, const Var& b) { return apply(Where{a.shape(), b.shape()}, {mask, a, b}); }
Var masked_fill(const Var& x, const Var& mask, double value) { return apply(MaskedFill{value}, {x, mask}); }

}  // namespace fovea
