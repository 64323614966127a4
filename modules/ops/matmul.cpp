#include "modules/ops/matmul.hpp"

#include "modules/core/accumulate.hpp"
#include "modules/core/dnnl.hpp"
#include "modules/core/dnnl_matmul.hpp"
#include "modules/core/reduce.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

Tensor swap_last(const Tensor& t) {
  Shape order;
  for (int i = 0; i < t.rank(); ++i) order.push_back(i);
  std::swap(order[t.rank() - 1], order[t.rank() - 2]);
  return t.permute(order);
}

Shape product_shape(const Shape& a, const Shape& b, std::string_view what) {
  check(a.rank() == b.rank() && a.rank() >= 2, what, ": expected two operands of one rank, at least 2, got ", a, " and ", b);
  const int r = a.rank();
  check(a[r - 1] == b[r - 2], what, ": expected inner sizes that agree, got ", a, " and ", b);
  Shape lead_a = a, lead_b = b;
  lead_a[r - 1] = lead_b[r - 1] = lead_a[r - 2] = lead_b[r - 2] = 1;
  Shape out = broadcast(lead_a, lead_b, what);
  out[r - 2] = a[r - 2];
  out[r - 1] = b[r - 1];
  return out;
}

template <class T>
void naive(const Tensor& a, const Tensor& b, Tensor& c) {
  const int r = c.rank();
  const std::int64_t m = c.dim(-2), n = c.dim(-1), k = a.dim(-1), batches = m > 0 && n > 0 ? c.size() / (m * n) : 0;
  parallel_for(batches * m, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t job = begin; job < end; ++job) {
      std::int64_t rest = job / m, ao = 0, bo = 0, co = 0;
      for (int i = r - 3; i >= 0; --i) {
        const std::int64_t at = rest % c.shape()[i];
        rest /= c.shape()[i];
        ao += at * a.strides()[i], bo += at * b.strides()[i], co += at * c.strides()[i];
      }
      const std::int64_t row = job % m;
      const T* x = a.data<T>() + ao + row * a.strides()[r - 2];
      for (std::int64_t j = 0; j < n; ++j) {
        const T* y = b.data<T>() + bo + j * b.strides()[r - 1];
        compute_t<T> sum = 0;
        for (std::int64_t i = 0; i < k; ++i)
          sum += static_cast<compute_t<T>>(x[i * a.strides()[r - 1]]) * static_cast<compute_t<T>>(y[i * b.strides()[r - 2]]);
        c.data<T>()[co + row * c.strides()[r - 2] + j * c.strides()[r - 1]] = static_cast<T>(sum);
      }
    }
  });
}

// The product in the type `out`; operands of mixed types (f32 parameters beside bf16 activations) meet in a's type.
Tensor product(const Tensor& a, const Tensor& b_any, const Tensor& bias, DType out) {
  const Tensor b = b_any.to(a.dtype());
  const Shape shape = product_shape(a.shape(), b.shape(), "matmul");
  Tensor c = Tensor::empty(shape, out);
  if (c.size() == 0) return c;
  if (a.dim(-1) == 0) return Tensor::zeros(shape, out);
  if (dnn::matmul(a, b, bias, c)) return c;
  Shape lead_a = shape, lead_b = shape;
  const int r = shape.rank();
  lead_a[r - 1] = a.dim(-1), lead_b[r - 2] = b.dim(-2);
  Tensor direct = Tensor::empty(shape, a.dtype());
  dispatch_compute(a.dtype(), "matmul", [&](auto zero) { naive<decltype(zero)>(a.expand(lead_a), b.expand(lead_b), direct); });
  if (bias.defined()) accumulate(direct, bias.to(direct.dtype()).expand(shape));
  return direct.to(out);
}

struct MatMul {
  static constexpr std::string_view name = "matmul";
  static constexpr Policy policy = Policy::contraction;
  Shapes infer(const Shapes& in) const { return {product_shape(in[0], in[1], name)}; }
  Tensors forward(Context& c, const Tensors& in) const {
    c.save({in[0], in[1]});
    return {product(in[0], in[1], {}, in[0].dtype())};
  }
  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor &a = c.saved(0), &b = c.saved(1), &g = grads[0];
    Tensors out(2);
    if (c.needs(0)) out[0] = sum_to(product(g, swap_last(b), {}, a.dtype()), a.shape());
    if (c.needs(1)) out[1] = sum_to(product(swap_last(a), g, {}, b.dtype()), b.shape());
    return out;
  }
  Lowering lower() const {
    using Computation = role::Computation;
    return Computation{.bind = [](const auto& in, const auto& out) -> std::optional<Computation::Bound> {
                         const auto as = [](const Computation::Value& v) {
                           return dnn::PreparedMatmul::Operand{v.shape, v.strides};
                         };
                         const auto made = dnn::PreparedMatmul::make(as(in[0]), as(in[1]), as(out[0]));
                         if (!made) return std::nullopt;
                         return Computation::Bound{[made](auto* x, auto* y, float* room) { made->run(x[0], x[1], y[0], room); },
                                                   static_cast<std::int64_t>((made->scratchpad_bytes() + 3) / sizeof(float))};
                       },
                       .any_strides = true,
                       .row_major = true};
  }
  std::int64_t multiply_adds(const Shapes& in, const Shapes& out) const { return out[0].elements() * in[0][in[0].rank() - 1]; }
};

struct Linear {
  static constexpr std::string_view name = "linear";
  static constexpr Policy policy = Policy::contraction;

  Shapes infer(const Shapes& in) const {
    const Shape &x = in[0], &w = in[1];
    check(x.rank() >= 1 && w.rank() == 2, name, ": expected an input of rank 1 or more and a weight O x I, got ", x, " and ", w);
    check(x[x.rank() - 1] == w[1], name, ": weight wants ", w[1], " features, input has ", x[x.rank() - 1], " (input ", x, ")");
    check(in[2].rank() == 0 || in[2] == Shape{w[0]}, name, ": bias wants ", w[0], " values, got ", in[2]);
    return {x.with(x.rank() - 1, w[0])};
  }
  Tensors forward(Context& c, const Tensors& in) const {
    const Tensor x = in[0].reshape({-1, in[0].dim(-1)});
    const Tensor wide = in[2].defined() && in[2].dtype() == DType::bf16 ? in[2].to(DType::f32) : in[2];
    const Tensor bias = wide.defined() ? wide.contiguous(Layout::row_major) : wide;
    c.save({x, in[1]});
    return {product(x, swap_last(in[1]), bias, x.dtype()).reshape(in[0].shape().with(in[0].rank() - 1, in[1].dim(0)))};
  }
  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor &x = c.saved(0), &w = c.saved(1);
    const Tensor g = grads[0].reshape({-1, w.dim(0)});
    Tensors out(3);
    if (c.needs(0)) out[0] = product(g, w, {}, x.dtype()).reshape(grads[0].shape().with(grads[0].rank() - 1, w.dim(1)));
    if (c.needs(1)) out[1] = product(swap_last(g), x, {}, w.dtype());
    if (c.needs(2)) out[2] = sum_over(g.dtype() == DType::bf16 ? g.to(DType::f32) : g, {true, false}).reshape({w.dim(0)});
    return out;
  }
  Lowering lower() const { return role::Linear{}; }
  std::int64_t multiply_adds(const Shapes& in, const Shapes& out) const { return out[0].elements() * in[1][1]; }
};

}  // namespace

Var matmul(const Var& a, const Var& b) { return apply(MatMul{}, {a, b}); }
Var linear(const Var& x, const Var& weight, const Var& bias) { return apply(Linear{}, {x, weight, bias}); }

}  // namespace fovea
