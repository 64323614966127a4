#include <algorithm>
#include <cmath>

#include "modules/autograd/apply.hpp"
#include "modules/core/math.hpp"
#include "modules/nn/losses.hpp"
#include "modules/ops/kernels/channel_rows.hpp"

namespace fovea {
namespace {

template <class C>
C log_sum_exp(const C* z, std::int64_t n) {
  C top = z[0], sum = 0;
  for (std::int64_t c = 1; c < n; ++c) top = z[c] > top ? z[c] : top;
  for (std::int64_t c = 0; c < n; ++c) sum += math::exp(z[c] - top);
  return top + std::log(sum);
}

// Per position, with t' = (1 - s) t + s / C, w = class_weights, lse = log sum exp z:
//   loss = sum_c w[c] t'[c] (lse - z[c]), dz = softmax(z) sum_c w[c] t'[c] - w t', dt = (1 - s) w (lse - z).
struct SoftCrossEntropy {
  static constexpr std::string_view name = "soft_cross_entropy";
  static constexpr Policy policy = Policy::loss;
  CrossEntropyOptions options;

  Shapes infer(const Shapes& in) const {
    check(in[0].rank() >= 2 && in[0][1] > 0, "soft_cross_entropy: expected logits (N, C, ...), got ", in[0]);
    check(in[1] == in[0], "soft_cross_entropy: expected class probabilities of shape ", in[0], ", got ", in[1]);
    const Tensor& w = options.class_weights;
    check(!w.defined() || w.shape() == Shape{in[0][1]}, "soft_cross_entropy: expected class weights of shape ", in[0][1],
          ", got ", w.defined() ? w.shape() : Shape{});
    check(options.label_smoothing >= 0 && options.label_smoothing <= 1,
          "soft_cross_entropy: expected label smoothing in [0, 1], got ", options.label_smoothing);
    return {Shape{}};
  }

  double scale_of(std::int64_t rows) const {
    return options.reduction == Reduction::sum ? 1 : rows > 0 ? 1 / static_cast<double>(rows) : 0;
  }

  // w t' of a row.
  template <class C>
  void weighted_target(const C* t, const std::vector<C>& w, std::vector<C>& out) const {
    const double s = options.label_smoothing, spread = s / static_cast<double>(w.size());
    for (std::size_t c = 0; c < w.size(); ++c) out[c] = w[c] * static_cast<C>((1 - s) * static_cast<double>(t[c]) + spread);
  }

  template <class C>
  Tensors run(Context& ctx, const Tensor& z, const Tensor& t) const {
    constexpr std::int64_t kRows = 64;
    const std::int64_t n = z.dim(-1), rows = z.size() / n;
    const auto weight = kernels::values_or<C>(options.class_weights, n, 1);
    Tensor lse = Tensor::empty({rows}, dtype_of<C>::value);
    std::vector<double> partial(static_cast<std::size_t>((rows + kRows - 1) / kRows), 0.0);
    parallel_blocks(static_cast<std::int64_t>(partial.size()), [&](std::int64_t b) {
      std::vector<C> target(weight.size());
      for (std::int64_t r = b * kRows; r < std::min(rows, (b + 1) * kRows); ++r) {
        const C* row = z.data<C>() + r * n;
        const C l = lse.data<C>()[r] = log_sum_exp(row, n);
        weighted_target(t.data<C>() + r * n, weight, target);
        for (std::int64_t c = 0; c < n; ++c)
          partial[static_cast<std::size_t>(b)] +=
              static_cast<double>(target[static_cast<std::size_t>(c)]) * static_cast<double>(l - row[c]);
      }
    });
    double sum = 0;
    for (const double p : partial) sum += p;
    ctx.save({z, t, lse});
    return {Tensor::full({}, sum * scale_of(rows), z.dtype())};
  }

  Tensors forward(Context& ctx, const Tensors& in) const {
    const Tensor z = kernels::channels_to_back(in[0]), t = kernels::channels_to_back(in[1]).to(z.dtype());
    check(z.dtype() == DType::f32 || z.dtype() == DType::f64, "soft_cross_entropy: expected f32 or f64, got ",
          name_of(z.dtype()));
    return z.dtype() == DType::f32 ? run<float>(ctx, z, t) : run<double>(ctx, z, t);
  }

  template <class C>
  Tensors gradients(const Context& ctx, double grad) const {
    const Tensor &z = ctx.saved(0), &t = ctx.saved(1), &lse = ctx.saved(2);
    const std::int64_t n = z.dim(-1), rows = z.size() / n;
    const auto weight = kernels::values_or<C>(options.class_weights, n, 1);
    const auto scale = static_cast<C>(grad * scale_of(rows)), keep = static_cast<C>(1 - options.label_smoothing);
    Tensor dz = Tensor::empty(z.shape(), z.dtype()), dt;
    if (ctx.needs(1)) dt = Tensor::empty(z.shape(), z.dtype());
    parallel_for(rows, std::max<std::int64_t>(1, 4096 / n), [&](std::int64_t begin, std::int64_t end) {
      std::vector<C> target(weight.size());
      for (std::int64_t r = begin; r < end; ++r) {
        const C *row = z.data<C>() + r * n, l = lse.data<C>()[r];
        weighted_target(t.data<C>() + r * n, weight, target);
        C total = 0;
        for (const C v : target) total += v;
        for (std::int64_t c = 0; c < n; ++c) {
          const auto i = static_cast<std::size_t>(c);
          dz.data<C>()[r * n + c] = scale * (total * math::exp(row[c] - l) - target[i]);
          if (dt.defined()) dt.data<C>()[r * n + c] = scale * keep * weight[i] * (l - row[c]);
        }
      }
    });
    return {kernels::channels_to_front(dz), dt.defined() ? kernels::channels_to_front(dt) : Tensor()};
  }

  Tensors backward(Context& ctx, const Tensors& grads) const {
    const double grad = grads[0].item();
    return ctx.saved(0).dtype() == DType::f32 ? gradients<float>(ctx, grad) : gradients<double>(ctx, grad);
  }
};

}  // namespace

Var soft_cross_entropy(const Var& logits, const Var& target, const CrossEntropyOptions& options) {
  return apply(SoftCrossEntropy{options}, {logits, target});
}

}  // namespace fovea
