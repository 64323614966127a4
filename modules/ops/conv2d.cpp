#include "modules/ops/conv2d.hpp"

#include "modules/core/accumulate.hpp"
#include "modules/core/reduce.hpp"
#include "modules/ops/activation.hpp"
#include "modules/ops/conv2d_naive.hpp"
#include "modules/ops/kernels/depthwise.hpp"

namespace fovea {
namespace {

dnn::Conv fast(const Conv2dOptions& o, bool activation) {
  dnn::Conv c{o.stride, o.dilation, o.pad_begin, o.pad_end, o.groups, o.transposed};
  if (activation) c.activation = o.activation, c.slope = static_cast<float>(o.slope);
  return c;
}

Tensor map(const Tensor& t) { return t.contiguous(Layout::channels_last); }
Tensor wide(const Tensor& t) { return t.dtype() == DType::bf16 ? t.to(DType::f32) : t; }  // what the direct loops read
// Weights and biases as oneDNN takes them: f32 (f64 in reference runs), row-major. A parameter is so already.
Tensor parameter(const Tensor& t) { return t.defined() ? wide(t).contiguous(Layout::row_major) : t; }

// Whether our depthwise kernels compute this convolution.
bool is_depthwise(const Conv2dOptions& o, const Tensor& x, const Shape& w) {
  return !o.transposed && x.dtype() != DType::f64 && w[1] == 1 && o.groups == w[0] && o.groups > 1;
}
kernels::Depthwise depthwise(const Conv2dOptions& o) { return {o.stride, o.dilation, o.pad_begin}; }

// oneDNN has a depthwise kernel for gradients of weights for some shapes: as fast as ours in bf16, up to 2.7 x slower in f32. For the
// others (5x5) it takes its general one, 46 (f32) to 280 (bf16) x slower than ours.
bool own_weight_gradient(const Conv2dOptions& o, const Tensor& x, const Tensor& gy, const Tensor& gw) {
  if (!is_depthwise(o, x, gw.shape())) return false;
  return x.dtype() == DType::f32 || dnn::conv_implementation(fast(o, false), 'w', x, gw, gy).rfind("jit_dw", 0) != 0;
}

// Where oneDNN has no bf16 kernel that is fast and right, its f32 one.
bool forward_in_f32(const Conv2dOptions& o, const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& residual,
                    Tensor& y) {
  if (x.dtype() != DType::bf16 || is_depthwise(o, x, w.shape())) return false;
  Tensor exact = Tensor::empty(y.shape(), DType::f32, Layout::channels_last);
  if (!dnn::conv_forward(fast(o, true), wide(x), w, bias, wide(residual), exact)) return false;
  y = exact.to(DType::bf16);
  return true;
}

Tensor direct_forward(const Conv2dOptions& o, const Tensor& x, const Tensor& w, const Shape& shape) {
  if (is_depthwise(o, x, w.shape())) {
    Tensor y = Tensor::empty(shape, x.dtype(), Layout::channels_last);
    kernels::depthwise_forward(depthwise(o), x, w, y);
    return y;
  }
  Tensor y = Tensor::empty(shape, wide(x).dtype(), Layout::channels_last);
  if (o.transposed) naive::conv_backward_data(o, wide(x), w, y);
  else naive::conv_forward(o, wide(x), w, y);
  return y;
}

Tensor data_gradient(const Conv2dOptions& o, const Tensor& gy, const Tensor& w, const Shape& x) {
  Tensor gx = Tensor::empty(x, gy.dtype(), Layout::channels_last);
  if (dnn::conv_backward_data(fast(o, false), gy, w, gx)) return gx;
  if (is_depthwise(o, gy, w.shape())) {
    kernels::depthwise_backward_data(depthwise(o), gy, w, gx);
    return gx;
  }
  Tensor direct = Tensor::empty(x, wide(gy).dtype(), Layout::channels_last);
  if (gy.dtype() == DType::bf16 && dnn::conv_backward_data(fast(o, false), wide(gy), w, direct)) return direct.to(gy.dtype());
  if (o.transposed) naive::conv_forward(o, wide(gy), w, direct);
  else naive::conv_backward_data(o, wide(gy), w, direct);
  return direct.to(gy.dtype());
}

// Gradients of weight and bias, in the weight's type.
void parameter_gradients(const Conv2dOptions& o, const Tensor& x, const Tensor& gy, Tensor& gw, Tensor& gb) {
  const bool own =
      gw.defined() && own_weight_gradient(o, x, gy, gw) && kernels::depthwise_backward_weights(depthwise(o), x, gy, gw);
  if (!own && gw.defined() && dnn::conv_backward_weights(fast(o, false), x, gy, gw, gb)) return;
  if (gb.defined()) gb = sum_over(wide(gy), {true, false, true, true}).reshape(gb.shape());
  if (own || !gw.defined()) return;
  if (o.transposed) naive::conv_backward_weights(o, wide(gy), wide(x), gw);
  else naive::conv_backward_weights(o, wide(x), wide(gy), gw);
}

struct Conv2dOp {
  static constexpr std::string_view name = "conv2d";
  static constexpr Policy policy = Policy::contraction;
  Conv2dOptions o;

  Shapes infer(const Shapes& in) const {
    const Shape y = conv2d_shape(in[0], in[1], o);
    check(in[2].rank() == 0 || in[2] == Shape{y[1]}, "conv2d: bias wants ", y[1], " values, got ", in[2]);
    check(in[3].rank() == 0 || in[3] == y, "conv2d: residual wants shape ", y, ", got ", in[3]);
    return {y};
  }

  Tensors forward(Context& c, const Tensors& in) const {
    const Tensor x = map(in[0]), residual = in[3].defined() ? map(in[3]) : Tensor();
    const Tensor w = parameter(in[1]), bias = parameter(in[2]);
    const Shape shape = conv2d_shape(x.shape(), w.shape(), o);
    Tensor y = Tensor::empty(shape, x.dtype(), Layout::channels_last);
    if (!dnn::conv_forward(fast(o, true), x, w, bias, residual, y) && !forward_in_f32(o, x, w, bias, residual, y)) {
      y = direct_forward(o, x, w, shape);
      if (bias.defined()) accumulate(y, bias.reshape({1, shape[1], 1, 1}).expand(shape));
      if (residual.defined()) accumulate(y, residual);
      activate(o.activation, o.slope, y);
      y = y.to(x.dtype());
    }
    if (o.activation == Activation::none) c.save({x, in[1]});
    else c.save({x, in[1], y});
    return {y};
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor &x = c.saved(0), w = parameter(c.saved(1));
    const Tensor gy =
        map(o.activation == Activation::none ? grads[0] : activation_backward(o.activation, o.slope, grads[0], c.saved(2)));
    Tensors out(4);
    if (c.needs(0)) out[0] = data_gradient(o, gy, w, x.shape());
    if (c.needs(1)) out[1] = Tensor::empty(w.shape(), w.dtype());
    if (c.needs(2)) out[2] = Tensor::empty({gy.dim(1)}, w.dtype());
    if (c.needs(1) || c.needs(2)) parameter_gradients(o, x, gy, out[1], out[2]);
    if (c.needs(3)) out[3] = gy;
    return out;
  }

  Placement placement(const Shapes& in, const Shapes&) const {
    Placement p;
    for (std::size_t a = 0; a < 2; ++a) {
      const auto stride = static_cast<double>(o.stride[a]);
      const double middle = static_cast<double>(o.dilation[a] * (in[1][static_cast<int>(a) + 2] - 1)) / 2,
                   reach = middle - static_cast<double>(o.pad_begin[a]);
      p.step[a] = o.transposed ? 1 / stride : stride;
      p.offset[a] = o.transposed ? -reach / stride : reach;
    }
    return p;
  }

  Lowering lower() const { return role::Convolution{fast(o, false), activation_role(o.activation, o.slope)}; }

  std::int64_t multiply_adds(const Shapes& in, const Shapes& out) const {
    const Shape& positions = o.transposed ? in[0] : out[0];
    return in[1].elements() * positions[0] * positions[2] * positions[3];
  }
};

std::int64_t out_size(const Conv2dOptions& o, std::size_t axis, std::int64_t in, std::int64_t kernel) {
  const std::int64_t span = o.dilation[axis] * (kernel - 1) + 1, pads = o.pad_begin[axis] + o.pad_end[axis];
  if (o.transposed) return (in - 1) * o.stride[axis] + span - pads + o.output_pad[axis];
  return in + pads < span ? 0 : (in + pads - span) / o.stride[axis] + 1;
}

}  // namespace

Shape conv2d_shape(const Shape& x, const Shape& w, const Conv2dOptions& o) {
  check(x.rank() == 4, "conv2d: expected an input N x C x H x W, got ", x);
  check(w.rank() == 4, "conv2d: expected a weight of rank 4, got ", w);
  const std::int64_t in_channels = o.transposed ? w[0] : w[1] * o.groups;
  check(o.groups > 0 && w[0] % o.groups == 0, "conv2d: ", w[0], " does not divide into ", o.groups, " groups");
  check(x[1] == in_channels, "conv2d: weight wants ", in_channels, " channels, input has ", x[1], " (input ", x, ")");
  for (std::size_t a = 0; a < 2; ++a)
    check(o.stride[a] > 0 && o.dilation[a] > 0 && o.pad_begin[a] >= 0 && o.pad_end[a] >= 0,
          "conv2d: stride and dilation must be positive, pads not negative");
  const Shape y{x[0], o.transposed ? w[1] * o.groups : w[0], out_size(o, 0, x[2], w[2]), out_size(o, 1, x[3], w[3])};
  check(y[2] > 0 && y[3] > 0, "conv2d: input ", x, " is smaller than the ", w[2], "x", w[3], " kernel with its padding");
  return y;
}

Var conv2d(const Var& x, const Var& weight, const Var& bias, const Conv2dOptions& options, const Var& residual) {
  return apply(Conv2dOp{options}, {x, weight, bias, residual});
}

}  // namespace fovea
