// The explicit form of attention: scores by a matrix product, then bias and masks, then softmax.
#include "modules/core/reduce.hpp"
#include "modules/core/threads.hpp"
#include "modules/ops/attention.hpp"
#include "modules/ops/kernels/attention_extras.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

// Scores with bias and masks, N x h x Lq x Lk.
struct MaskScores {
  static constexpr std::string_view name = "attention_weights";
  static constexpr Policy policy = Policy::statistic;
  AttentionOptions o;
  bool has_mask, has_bias;

  Shapes infer(const Shapes& in) const {
    if (has_mask) kernels::check_extra(in[1], in[0], "mask");
    if (has_bias) kernels::check_extra(in[2], in[0], "bias");
    return {in[0]};
  }

  // f(scores of one head, where they are), for every head.
  template <class C, class F>
  static void heads(Tensor& s, const F& f) {
    const std::int64_t h = s.dim(1), rows = s.dim(2), columns = s.dim(3);
    parallel_for(s.dim(0) * h, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t u = begin; u < end; ++u)
        f(s.data<C>() + u * rows * columns, kernels::ScoreTile{u / h, u % h, 0, rows, 0, columns});
    });
  }

  static DType wide(const Tensor& t) { return t.dtype() == DType::f64 ? DType::f64 : DType::f32; }

  Tensors forward(Context& c, const Tensors& in) const {
    Tensor s = Tensor::empty(in[0].shape(), wide(in[0]));
    s.copy_from(in[0]);
    dispatch_compute(s.dtype(), name, [&](auto zero) {
      using C = compute_t<decltype(zero)>;
      const kernels::Extras e = kernels::extras_of(in[1], in[2], s.shape(), s.dtype(), o);
      heads<C>(s, [&](C* at, const kernels::ScoreTile& place) { kernels::finish_scores(at, place.columns, e, place); });
    });
    c.save({in[1], in[2]});
    return {s.to(in[0].dtype())};
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor& bias = c.saved(1);
    Tensor s = Tensor::empty(grads[0].shape(), wide(grads[0]));
    s.copy_from(grads[0]);
    dispatch_compute(s.dtype(), name, [&](auto zero) {
      using C = compute_t<decltype(zero)>;
      const kernels::Extras e = kernels::extras_of(c.saved(0), {}, s.shape(), s.dtype(), o);
      heads<C>(s, [&](C* at, const kernels::ScoreTile& place) { kernels::clear_forbidden(at, place.columns, e, place); });
    });
    Tensors out(3);
    if (c.needs(0)) out[0] = s.to(grads[0].dtype());
    if (c.needs(2)) {
      const Shape four = kernels::with_four_axes(bias.shape());
      const Tensor repeats = s.reshape({s.dim(0) / four[0], four[0], s.dim(1), s.dim(2), s.dim(3)});
      out[2] = sum_to(repeats, {1, four[0], four[1], four[2], four[3]}).reshape(bias.shape()).to(bias.dtype());
    }
    return out;
  }
};

}  // namespace

Var attention_weights(const Var& q, const Var& k, const Var& mask, const Var& bias, const AttentionOptions& options) {
  kernels::scores_shape(q.shape(), k.shape());
  const Var s = matmul(scale(q, kernels::scale_of(options, q.dim(3))), permute(k, {0, 1, 3, 2}));
  Var m = mask, b = bias;
  kernels::sort_extras(m, b);
  if (!m.defined() && !b.defined() && !options.causal && !options.pattern) return softmax(s, 3);
  return softmax(apply(MaskScores{options, m.defined(), b.defined()}, {s, m, b}), 3);
}

}  // namespace fovea
