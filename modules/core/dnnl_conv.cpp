#include "modules/core/dnnl_conv.hpp"

#include <bit>

#include "modules/core/room.hpp"
#include "modules/core/threads.hpp"

namespace fovea::dnn {

using dnnl::algorithm;
using dnnl::prop_kind;
using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;
using Residual = ConvSpec::Residual;

namespace {

Dims dims_of(const Shape& s) { return {s.begin(), s.end()}; }
Dims strides(const Conv& c) { return {c.stride[0], c.stride[1]}; }
Dims dilates(const Conv& c) { return {c.dilation[0] - 1, c.dilation[1] - 1}; }
Dims pad_l(const Conv& c) { return {c.pad_begin[0], c.pad_begin[1]}; }
Dims pad_r(const Conv& c) { return {c.pad_end[0], c.pad_end[1]}; }

}  // namespace

Desc ConvProblem::source() const { return {dims_of(x), type, Tag::nhwc}; }
Desc ConvProblem::target() const { return {dims_of(y), out, Tag::nhwc}; }

Dims ConvProblem::weight_dims() const {
  const std::int64_t g = c.groups, o = y[1] / g, i = x[1] / g;
  return g == 1 ? Dims{o, i, w[2], w[3]} : Dims{g, o, i, w[2], w[3]};
}

Desc ConvProblem::user_weights() const {
  const Tag tag = c.groups == 1 ? (c.transposed ? Tag::iohw : Tag::oihw) : (c.transposed ? Tag::giohw : Tag::goihw);
  return {weight_dims(), Type::f32, tag};
}

Desc ConvProblem::any_weights(Type t) const { return {weight_dims(), t, Tag::any}; }
Desc ConvProblem::bias_desc() const { return bias ? Desc({y[1]}, Type::f32, Tag::x) : Desc(); }

namespace {

using Problem = ConvProblem;

Key key_of(char kind, const Problem& p) {
  Key key(kind);
  key << p.x << p.w << p.y << static_cast<std::int64_t>(p.type) << static_cast<std::int64_t>(p.out) << p.bias
      << static_cast<std::int64_t>(p.residual) << p.c.stride[0] << p.c.stride[1] << p.c.dilation[0] << p.c.dilation[1]
      << p.c.pad_begin[0] << p.c.pad_begin[1] << p.c.pad_end[0] << p.c.pad_end[1] << p.c.groups << p.c.transposed
      << p.after.has_value();
  if (p.after)
    key << static_cast<std::int64_t>(p.after->kind) << std::bit_cast<std::int32_t>(p.after->a)
        << std::bit_cast<std::int32_t>(p.after->b);
  return key;
}

void append_eltwise(dnnl::post_ops& ops, algorithm a, float alpha, float beta) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(a, alpha, beta);
#else
  ops.append_eltwise(1, a, alpha, beta);
#endif
}

void append(dnnl::post_ops& ops, const Eltwise& e) {
  switch (e.kind) {
    case Eltwise::Kind::relu: return append_eltwise(ops, algorithm::eltwise_relu, e.a, 0);
    case Eltwise::Kind::clip: return append_eltwise(ops, algorithm::eltwise_clip, e.a, e.b);
    case Eltwise::Kind::sigmoid: return append_eltwise(ops, algorithm::eltwise_logistic, 0, 0);
    case Eltwise::Kind::tanh: return append_eltwise(ops, algorithm::eltwise_tanh, 0, 0);
    // alpha and beta of x * clamp(alpha x + beta, 0, 1) came with version 3; before it they were fixed to these and not looked at.
    case Eltwise::Kind::hard_swish: return append_eltwise(ops, algorithm::eltwise_hardswish, 1.0f / 6, 0.5f);
    case Eltwise::Kind::silu: return append_eltwise(ops, algorithm::eltwise_swish, 1, 0);
  }
}

// The activation that the eager convolution applies itself.
std::optional<Eltwise> eltwise_of(const Conv& c) {
  switch (c.activation) {
    case Activation::none: return std::nullopt;
    case Activation::relu: return Eltwise{Eltwise::Kind::relu};
    case Activation::leaky_relu: return Eltwise{Eltwise::Kind::relu, c.slope};
    case Activation::sigmoid: return Eltwise{Eltwise::Kind::sigmoid};
    case Activation::tanh: return Eltwise{Eltwise::Kind::tanh};
  }
  return std::nullopt;
}

dnnl::primitive_attr attributes(const Problem* forward) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (!forward) return attr;
  dnnl::post_ops ops;
  if (forward->residual == Residual::read) ops.append_binary(algorithm::binary_add, forward->target());
  if (forward->residual == Residual::in_place) ops.append_sum();
  if (forward->after) append(ops, *forward->after);
  attr.set_post_ops(ops);
  return attr;
}

template <class Pd>
bool is_slow(const Pd& pd) {
  return std::string(pd.impl_info_str()).find("ref") != std::string::npos;
}

template <class Pd>
Primitive wrap(const Pd& pd, dnnl::primitive run, Desc weights) {
  return {std::move(run), std::move(weights), pd.scratchpad_desc(), pd.impl_info_str(), is_slow(pd)};
}

// The calls that differ between the majors. Forward, Data and Weights are convolution_* or deconvolution_*.
template <class Forward>
typename Forward::primitive_desc forward_pd(const Problem& p, algorithm a, prop_kind kind, const dnnl::primitive_attr& attr) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine(),     kind,       a,          p.source(), p.any_weights(p.type), p.bias_desc(), p.target(), strides(p.c),
          dilates(p.c), pad_l(p.c), pad_r(p.c), attr};
#else
  if (p.bias)
    return {{kind, a, p.source(), p.any_weights(p.type), p.bias_desc(), p.target(), strides(p.c), dilates(p.c), pad_l(p.c),
             pad_r(p.c)},
            attr,
            engine()};
  return {{kind, a, p.source(), p.any_weights(p.type), p.target(), strides(p.c), dilates(p.c), pad_l(p.c), pad_r(p.c)},
          attr,
          engine()};
#endif
}

// Backward descriptors want a forward one as a hint; it only has to agree in shapes and types.
template <class Forward>
typename Forward::primitive_desc hint_pd(const Problem& p, algorithm a) {
  return forward_pd<Forward>(p, a, prop_kind::forward_training, {});
}

template <class Forward, class Data>
typename Data::primitive_desc data_pd(const Problem& p, algorithm a) {
  const auto hint = hint_pd<Forward>(p, a);
  const auto attr = attributes(nullptr);
#if DNNL_VERSION_MAJOR >= 3
  return {engine(),   a,    p.source(), p.any_weights(p.type), p.target(), strides(p.c), dilates(p.c), pad_l(p.c),
          pad_r(p.c), hint, attr};
#else
  return {{a, p.source(), p.any_weights(p.type), p.target(), strides(p.c), dilates(p.c), pad_l(p.c), pad_r(p.c)},
          attr,
          engine(),
          hint};
#endif
}

template <class Forward, class Weights>
typename Weights::primitive_desc weights_pd(const Problem& p, algorithm a) {
  const auto hint = hint_pd<Forward>(p, a);
  const auto attr = attributes(nullptr);
  const Desc gw = p.any_weights(Type::f32);
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), a, p.source(), gw, p.bias_desc(), p.target(), strides(p.c), dilates(p.c), pad_l(p.c), pad_r(p.c), hint, attr};
#else
  if (p.bias)
    return {
        {a, p.source(), gw, p.bias_desc(), p.target(), strides(p.c), dilates(p.c), pad_l(p.c), pad_r(p.c)}, attr, engine(), hint};
  return {{a, p.source(), gw, p.target(), strides(p.c), dilates(p.c), pad_l(p.c), pad_r(p.c)}, attr, engine(), hint};
#endif
}

template <class Forward, class Data, class Weights>
Primitive create(char pass, const Problem& p, algorithm a) {
  if (pass == 'f') {
    const auto pd = forward_pd<Forward>(p, a, prop_kind::forward_inference, attributes(&p));
    return wrap(pd, Forward(pd), pd.weights_desc());
  }
  if (pass == 'd') {
    const auto pd = data_pd<Forward, Data>(p, a);
    return wrap(pd, Data(pd), pd.weights_desc());
  }
  const auto pd = weights_pd<Forward, Weights>(p, a);
  return wrap(pd, Weights(pd), pd.diff_weights_desc());
}

// oneDNN 2.6.3's bf16 kernel for 1x1 gives wrong values for some numbers of positions (120, 300, 480) when it sums over an odd number of
// channels: those of x, or of y where it computes the gradient of x.
bool is_wrong(char pass, const Problem& p, const Primitive& made) {
  const std::int64_t channels = (pass == 'd' ? p.y[1] : p.x[1]) / p.c.groups;
  return pass != 'w' && channels % 2 == 1 && made.implementation.find("jit_bf16_1x1") != std::string::npos;
}

Primitive create_any(char pass, const Problem& p) {
  if (p.c.transposed)
    return create<dnnl::deconvolution_forward, dnnl::deconvolution_backward_data, dnnl::deconvolution_backward_weights>(
        pass, p, algorithm::deconvolution_direct);
  return create<dnnl::convolution_forward, dnnl::convolution_backward_data, dnnl::convolution_backward_weights>(
      pass, p, algorithm::convolution_direct);
}

}  // namespace

std::shared_ptr<const Primitive> find_convolution(char pass, const ConvProblem& p) {
  return cached_primitive(key_of(pass, p), [&]() -> Primitive {
    try {
      Primitive made = create_any(pass, p);
      made.slow |= is_wrong(pass, p, made);
      return made;
    } catch (const dnnl::error& e) { return {{}, {}, {}, std::string("none: ") + e.what(), true}; }
  });
}

namespace {

bool computable(const Tensor& t) { return (t.dtype() == DType::f32 || t.dtype() == DType::bf16) && t.rank() == 4; }

Problem problem(const Conv& c, const Tensor& x, const Shape& w, const Tensor& y) {
  check(x.is_dense(Layout::channels_last) && y.is_dense(Layout::channels_last),
        "oneDNN convolution: expected channels-last maps");
  return {c, x.shape(), w, y.shape(), type_of(x.dtype()), type_of(y.dtype())};
}

void execute(const Primitive& p, std::unordered_map<int, dnnl::memory> args) {
  args[DNNL_ARG_SCRATCHPAD] = scratchpad(p.scratchpad);
  p.run.execute(stream(), args);
  stream().wait();
}

}  // namespace

bool conv_forward(const Conv& c, const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& residual, Tensor& y) {
  if (!computable(x) || w.dtype() != DType::f32) return false;
  Problem p = problem(c, x, w.shape(), y);
  p.bias = bias.defined();
  p.residual = residual.defined() ? Residual::read : Residual::none;
  p.after = eltwise_of(c);
  const auto found = find_convolution('f', p);
  if (found->slow) return false;
  const HeldMemory weights = reordered_weights(w, p.user_weights(), found->weights);
  std::unordered_map<int, dnnl::memory> args{
      {DNNL_ARG_SRC, as_memory(p.source(), x)}, {DNNL_ARG_WEIGHTS, weights.memory}, {DNNL_ARG_DST, as_memory(p.target(), y)}};
  if (p.bias) args[DNNL_ARG_BIAS] = as_memory(p.bias_desc(), bias);
  if (residual.defined()) args[DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1] = as_memory(p.target(), residual);
  execute(*found, std::move(args));
  return true;
}

bool conv_backward_data(const Conv& c, const Tensor& gy, const Tensor& w, Tensor& gx) {
  if (!computable(gy) || w.dtype() != DType::f32) return false;
  const Problem p = problem(c, gx, w.shape(), gy);
  const auto found = find_convolution('d', p);
  if (found->slow) return false;
  const HeldMemory weights = reordered_weights(w, p.user_weights(), found->weights);
  execute(*found, {{DNNL_ARG_DIFF_DST, as_memory(p.target(), gy)},
                   {DNNL_ARG_WEIGHTS, weights.memory},
                   {DNNL_ARG_DIFF_SRC, as_memory(p.source(), gx)}});
  return true;
}

bool conv_backward_weights(const Conv& c, const Tensor& x, const Tensor& gy, Tensor& gw, Tensor& gb) {
  if (!computable(x) || gw.dtype() != DType::f32) return false;
  Problem p = problem(c, x, gw.shape(), gy);
  p.bias = gb.defined();
  const auto found = find_convolution('w', p);
  if (found->slow) return false;
  const dnnl::memory user = as_memory(p.user_weights(), gw);
  const bool same = found->weights == p.user_weights();
  Storage own(same ? 1 : found->weights.get_size());
  dnnl::memory made = same ? user : dnnl::memory(found->weights, engine(), own.data);
  std::unordered_map<int, dnnl::memory> args{
      {DNNL_ARG_SRC, as_memory(p.source(), x)}, {DNNL_ARG_DIFF_DST, as_memory(p.target(), gy)}, {DNNL_ARG_DIFF_WEIGHTS, made}};
  if (p.bias) args[DNNL_ARG_DIFF_BIAS] = as_memory(p.bias_desc(), gb);
  execute(*found, std::move(args));
  if (!same) {
    dnnl::memory target = user;
    memory::check_room();
    dnnl::reorder(made, target).execute(stream(), made, target);
    stream().wait();
  }
  return true;
}

std::string conv_implementation(const Conv& c, char pass, const Tensor& x, const Tensor& w, const Tensor& y) {
  return find_convolution(pass, problem(c, x, w.shape(), y))->implementation;
}

}  // namespace fovea::dnn
