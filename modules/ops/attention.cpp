#include "modules/ops/attention.hpp"

#include "modules/ops/kernels/attention_backward.hpp"
#include "modules/ops/kernels/attention_extras.hpp"
#include "modules/ops/kernels/attention_received.hpp"
#include "modules/ops/kernels/extent.hpp"

namespace fovea {
namespace {

using kernels::check_extra, kernels::Extras, kernels::heads_of, kernels::scale_of, kernels::scores_shape, kernels::with_four_axes;

struct Attention {
  static constexpr std::string_view name = "attention";
  static constexpr Policy policy = Policy::statistic;  // bf16 in and out, f32 inside
  AttentionOptions o;
  AttentionDropout dropout;
  Random::State draws;                        // where they begin, for both passes
  bool has_mask, has_bias, received, yes_no;  // the last: the mask is of booleans

  Shapes infer(const Shapes& in) const {
    const Shape &q = in[0], &k = in[1], &v = in[2];
    const Shape scores = scores_shape(q, k);
    check(v.rank() == 4 && v[0] == k[0] && v[1] == k[1] && v[2] == k[2] && v[3] > 0, name, ": expected v with the keys of ", k,
          ", got ", v);
    if (has_mask) check_extra(in[3], scores, "mask");
    if (has_bias) check_extra(in[4], scores, "bias");
    if (received) return {q.with(3, v[3]), {k[0], k[1], 1, k[2]}};
    return {q.with(3, v[3])};
  }

  kernels::WeightDrops drops(const Tensor& q, const Tensor& k) const {
    return {dropout.probability, draws, scores_shape(q.shape(), k.shape())};
  }

  Tensors forward(Context& ctx, const Tensors& in) const {
    const Tensor &q = in[0], &k = in[1], &v = in[2];
    const kernels::WeightDrops dropped = drops(q, k);
    if (dropped.active())
      dropout.random->restore({draws.seed, draws.stream, draws.drawn + static_cast<std::uint64_t>(dropped.scores.elements())});
    Tensor out = Tensor::empty({q.dim(0), q.dim(1), q.dim(2), v.dim(3)}, q.dtype()), columns;
    dispatch_compute(q.dtype(), name, [&](auto zero) {
      using C = compute_t<decltype(zero)>;
      const DType type = dtype_of<C>::value;
      Tensor tops = Tensor::empty({q.dim(0), q.dim(1), q.dim(2), 2}, type);
      const Extras e = kernels::extras_of(in[3], in[4], scores_shape(q.shape(), k.shape()), type, o);
      const kernels::ForwardPass<C> pass{heads_of(q), heads_of(k),           heads_of(v), e,
                                         dropped,     scale_of(o, q.dim(3)), out.raw(),   tops.data<C>()};
      if (received) {
        columns = Tensor::empty({k.dim(0), k.dim(1), 1, k.dim(2)}, type);
        const kernels::ReceivedPass<C> both{pass, columns.data<C>()};
        both.run(Tensor::empty({both.workspace()}, type).template data<C>());
      } else {
        pass.run(Tensor::empty({pass.workspace()}, type).template data<C>());
      }
      ctx.save({q, k, v, in[3], in[4], out, tops});
    });
    if (received) return {out, columns.to(q.dtype())};
    return {out};
  }

  Tensors backward(Context& ctx, const Tensors& grads) const {
    check(!received || !grads[1].defined(), name, ": what keys received has no gradient: take the mean of attention_weights");
    const Tensor &q = ctx.saved(0), &k = ctx.saved(1), &v = ctx.saved(2), &bias = ctx.saved(4);
    const kernels::WeightDrops dropped = drops(q, k);
    Tensors out(5);
    for (std::size_t i = 0; i < 3; ++i)
      if (ctx.needs(i)) out[i] = Tensor::empty(ctx.saved(i).shape(), ctx.saved(i).dtype());
    dispatch_compute(q.dtype(), name, [&](auto zero) {
      using C = compute_t<decltype(zero)>;
      const DType type = dtype_of<C>::value;
      const Extras e = kernels::extras_of(ctx.saved(3), bias, scores_shape(q.shape(), k.shape()), type, o);
      Tensor dbias = ctx.needs(4) ? Tensor::zeros(with_four_axes(bias.shape()), type) : Tensor();
      kernels::BackwardPass<C>{q,      k,      v,      ctx.saved(5), ctx.saved(6), grads[0], e, dropped, scale_of(o, q.dim(3)),
                               out[0], out[1], out[2], dbias}
          .run();
      if (dbias.defined()) out[4] = dbias.reshape(bias.shape()).to(bias.dtype());
    });
    return out;
  }

  bool training_only() const { return dropout.probability > 0; }

  Lowering lower() const {
    if (yes_no) return {};
    return role::Computation{
        .bind = [op = *this](const auto& in, const auto&) { return op.bind(in); }, .any_strides = true, .row_major = true};
  }

  std::optional<role::Computation::Bound> bind(const std::vector<role::Computation::Value>& in) const {
    for (const std::size_t i : {3, 4})  // masks and biases lie row by row
      if (in[i].shape.rank() > 0 && !kernels::alike(in[i], {in[i].shape, dense_strides(in[i].shape, Layout::row_major)}))
        return std::nullopt;
    const auto run = [op = *this, in](const float* const* x, float* const* y, float* room) {
      static const kernels::WeightDrops none;
      const Shape scores = scores_shape(in[0].shape, in[1].shape);
      const auto extra = [&](std::size_t i) {
        if (!x[i]) return Tensor();
        return kernels::extra_view(Tensor::over(const_cast<float*>(x[i]), in[i].shape, DType::f32, Layout::row_major), scores,
                                   DType::f32);
      };
      const Extras e{extra(3), extra(4), op.o.pattern.get(), op.o.causal, op.o.masked};
      const auto heads = [&](std::size_t i) { return kernels::Heads{x[i], DType::f32, in[i].shape, in[i].strides}; };
      const kernels::ForwardPass<float> pass{heads(0), heads(1), heads(2), e, none, scale_of(op.o, in[0].shape[3]),
                                             y[0],     nullptr};
      const kernels::ReceivedPass<float> both{pass, y[1]};
      const std::int64_t size = op.received ? both.workspace() : pass.workspace();
      if (room && op.received) both.run(room);
      else if (room) pass.run(room);
      return size;
    };
    const std::array<const float*, 5> nowhere{};
    std::array<float*, 2> none{};
    const std::int64_t size = run(nowhere.data(), none.data(), nullptr);
    return role::Computation::Bound{[run](const float* const* x, float* const* y, float* room) { run(x, y, room); }, size};
  }

  std::int64_t multiply_adds(const Shapes& in, const Shapes&) const {
    return in[0].elements() * in[1][2] + in[2].elements() * in[0][2];
  }
};

}  // namespace

namespace {

Vars attend_to(const Var& q, const Var& k, const Var& v, const Var& mask, const Var& bias, const AttentionOptions& options,
               const AttentionDropout& dropout, bool received) {
  Var m = mask, b = bias;
  kernels::sort_extras(m, b);
  const bool drops = dropout.probability > 0;
  check(!drops || (dropout.probability < 1 && dropout.random), "attention: expected dropout in [0, 1) with what draws it, got ",
        dropout.probability);
  const Random::State draws = drops ? dropout.random->state() : Random::State{};
  const bool yes_no = m.defined() && m.state()->value.defined() && m.value().dtype() == DType::boolean;
  return apply_all(Attention{options, dropout, draws, m.defined(), b.defined(), received, yes_no}, {q, k, v, m, b});
}

}  // namespace

Var attention(const Var& q, const Var& k, const Var& v, const Var& mask, const Var& bias, const AttentionOptions& options,
              const AttentionDropout& dropout) {
  return attend_to(q, k, v, mask, bias, options, dropout, false)[0];
}

Attended attention_received(const Var& q, const Var& k, const Var& v, const Var& mask, const Var& bias,
                            const AttentionOptions& options, const AttentionDropout& dropout) {
  const Vars both = attend_to(q, k, v, mask, bias, options, dropout, true);
  return {both[0], both[1]};
}

}  // namespace fovea
