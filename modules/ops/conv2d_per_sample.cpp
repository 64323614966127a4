#include "modules/ops/conv2d_per_sample.hpp"

#include "modules/core/accumulate.hpp"
#include "modules/core/reduce.hpp"
#include "modules/ops/conv2d_naive.hpp"

namespace fovea {
namespace {

Tensor map(const Tensor& t) { return t.contiguous(Layout::channels_last); }
Tensor wide(const Tensor& t) { return t.dtype() == DType::bf16 ? t.to(DType::f32) : t; }

// Sample n of a map, still a map; of anything else without its first axis.
Tensor sample(const Tensor& t, std::int64_t n) { return t.slice(0, n, n + 1); }
Tensor kernel(const Tensor& t, std::int64_t n) { return t.slice(0, n, n + 1).reshape(t.shape().without(0)); }

// The samples follow one another, each on all threads: one sample's convolution is large enough for them.
struct Conv2dPerSample {
  static constexpr std::string_view name = "conv2d_per_sample";
  static constexpr Policy policy = Policy::contraction;
  Conv2dOptions o;

  dnn::Conv fast() const { return {o.stride, o.dilation, o.pad_begin, o.pad_end, o.groups}; }

  Shapes infer(const Shapes& in) const {
    const Shape &x = in[0], &w = in[1];
    check(!o.transposed && o.activation == Activation::none, name, ": transposed kernels and activations are not for this op");
    check(x.rank() == 4, name, ": expected an input N x C x H x W, got ", x);
    check(w.rank() == 5 && w[0] == x[0], name, ": expected a weight ", x[0], " x O x I/groups x kh x kw, got ", w);
    const Shape y = conv2d_shape(x, w.without(0), o);
    check(in[2].rank() == 0 || in[2] == Shape{x[0], y[1]}, name, ": bias wants ", Shape{x[0], y[1]}, ", got ", in[2]);
    return {y};
  }

  Tensors forward(Context& c, const Tensors& in) const {
    const Tensor x = map(in[0]), w = wide(in[1]).contiguous(Layout::row_major);
    const Tensor bias = in[2].defined() ? wide(in[2]).contiguous(Layout::row_major) : Tensor();
    c.save({x, in[1], in[2]});
    const Shape shape = conv2d_shape(x.shape(), w.shape().without(0), o);
    Tensor y = Tensor::empty(shape, x.dtype(), Layout::channels_last);
    for (std::int64_t n = 0; n < shape[0]; ++n) {
      Tensor to = sample(y, n);
      const Tensor own = bias.defined() ? kernel(bias, n) : Tensor();
      if (dnn::conv_forward(fast(), sample(x, n), kernel(w, n), own, {}, to)) continue;
      Tensor direct = Tensor::empty(to.shape(), wide(x).dtype(), Layout::channels_last);
      naive::conv_forward(o, wide(sample(x, n)), kernel(w, n), direct);
      if (own.defined()) accumulate(direct, own.reshape({1, shape[1], 1, 1}).expand(direct.shape()));
      to.copy_from(direct);
    }
    return {y};
  }

  void data_gradient(const Tensor& gy, const Tensor& w, Tensor gx) const {
    if (dnn::conv_backward_data(fast(), gy, w, gx)) return;
    Tensor direct = Tensor::empty(gx.shape(), wide(gy).dtype(), Layout::channels_last);
    naive::conv_backward_data(o, wide(gy), w, direct);
    gx.copy_from(direct);
  }

  void weight_gradient(const Tensor& x, const Tensor& gy, Tensor gw) const {
    Tensor no_bias;
    if (!dnn::conv_backward_weights(fast(), x, gy, gw, no_bias)) naive::conv_backward_weights(o, wide(x), wide(gy), gw);
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor &x = c.saved(0), gy = map(grads[0]).to(x.dtype()), w = wide(c.saved(1)).contiguous(Layout::row_major);
    Tensors out(3);
    if (c.needs(0)) out[0] = Tensor::empty(x.shape(), x.dtype(), Layout::channels_last);
    if (c.needs(1)) out[1] = Tensor::empty(w.shape(), w.dtype());
    for (std::int64_t n = 0; n < x.dim(0); ++n) {
      if (c.needs(0)) data_gradient(sample(gy, n), kernel(w, n), sample(out[0], n));
      if (c.needs(1)) weight_gradient(sample(x, n), sample(gy, n), kernel(out[1], n));
    }
    if (c.needs(1)) out[1] = out[1].to(c.saved(1).dtype());
    if (c.needs(2)) out[2] = sum_over(wide(gy), {false, false, true, true}).reshape({x.dim(0), gy.dim(1)}).to(c.saved(2).dtype());
    return out;
  }

  std::int64_t multiply_adds(const Shapes& in, const Shapes& out) const { return in[1].elements() * out[0][2] * out[0][3]; }
};

}  // namespace

Var conv2d_per_sample(const Var& x, const Var& weight, const Var& bias, const Conv2dOptions& options) {
  return apply(Conv2dPerSample{options}, {x, weight, bias});
}

}  // namespace fovea
