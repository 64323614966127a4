#include <algorithm>
#include <cmath>

#include "modules/autograd/apply.hpp"
#include "modules/core/math.hpp"
#include "modules/nn/losses.hpp"
#include "modules/ops/kernels/channel_rows.hpp"

namespace fovea {
namespace {

// log(sum(exp(z))) of a row.
template <class C>
FOVEA_SIMD C log_sum_exp(const C* z, std::int64_t n) {
  C top = z[0], sum = 0;
  for (std::int64_t c = 1; c < n; ++c) top = z[c] > top ? z[c] : top;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t c = 0; c < n; ++c) sum += math::exp(z[c] - top);
  return top + std::log(sum);
}

// dz = by_sum * softmax(z) - smooth * weight.
template <class C>
FOVEA_SIMD void gradient_row(C* dz, const C* z, C lse, C by_sum, C smooth, const C* weight, std::int64_t n) {
#pragma omp simd
  for (std::int64_t c = 0; c < n; ++c) dz[c] = by_sum * math::exp(z[c] - lse) - smooth * weight[c];
}

// Per position with target t, s = label_smoothing, w = class_weights:
//   (1 - s) w[t] (lse - z[t]) + s / C sum_c w[c] (lse - z[c]),   lse = log sum exp z.
struct CrossEntropy {
  static constexpr std::string_view name = "cross_entropy";
  static constexpr Policy policy = Policy::loss;
  CrossEntropyOptions options;

  Shapes infer(const Shapes& in) const {
    check(in[0].rank() >= 2 && in[0][1] > 0, "cross_entropy: expected logits (N, C, ...), got ", in[0]);
    check(in[1] == in[0].without(1), "cross_entropy: expected targets of shape ", in[0].without(1), ", got ", in[1]);
    const Tensor& w = options.class_weights;
    check(!w.defined() || w.shape() == Shape{in[0][1]}, "cross_entropy: expected class weights of shape ", in[0][1], ", got ",
          w.defined() ? w.shape() : Shape{});
    check(options.label_smoothing >= 0 && options.label_smoothing <= 1, "cross_entropy: expected label smoothing in [0, 1], got ",
          options.label_smoothing);
    return {Shape{}};
  }

  // Sum of the losses of positions [begin, end) and of their targets' weights.
  template <class C>
  void block(const C* z, const std::int64_t* target, C* lse, const std::vector<C>& weight, double total_weight,
             std::int64_t begin, std::int64_t end, double* sums) const {
    const auto n = static_cast<std::int64_t>(weight.size());
    const double s = options.label_smoothing;
    for (std::int64_t r = begin; r < end; ++r) {
      const C* row = z + r * n;
      lse[r] = log_sum_exp(row, n);
      const std::int64_t t = target[r];
      if (t == options.ignore_index) continue;
      check(t >= 0 && t < n, "cross_entropy: expected targets from 0 to ", n - 1, " or ", options.ignore_index, ", got ", t);
      const double w = static_cast<double>(weight[static_cast<std::size_t>(t)]), l = static_cast<double>(lse[r]);
      double smooth = 0;
      if (s > 0) {
        for (std::int64_t c = 0; c < n; ++c)
          smooth += static_cast<double>(weight[static_cast<std::size_t>(c)]) * static_cast<double>(row[c]);
        smooth = s / static_cast<double>(n) * (total_weight * l - smooth);
      }
      sums[0] += (1 - s) * w * (l - static_cast<double>(row[t])) + smooth;
      sums[1] += w;
    }
  }

  template <class C>
  Tensors run(Context& ctx, const Tensor& z, const Tensor& target) const {
    constexpr std::int64_t kRows = 256;
    const std::int64_t n = z.dim(-1), rows = target.size();
    const auto weight = kernels::values_or<C>(options.class_weights, n, 1);
    double total_weight = 0, sum = 0, divisor = 0;
    for (const C w : weight) total_weight += static_cast<double>(w);
    Tensor lse = Tensor::empty({rows}, dtype_of<C>::value);
    std::vector<double> partial(static_cast<std::size_t>((rows + kRows - 1) / kRows * 2), 0.0);
    parallel_blocks((rows + kRows - 1) / kRows, [&](std::int64_t b) {
      block(z.data<C>(), target.data<std::int64_t>(), lse.data<C>(), weight, total_weight, b * kRows,
            std::min(rows, (b + 1) * kRows), partial.data() + 2 * b);
    });
    for (std::size_t i = 0; i < partial.size(); i += 2) sum += partial[i], divisor += partial[i + 1];
    const double scale = options.reduction == Reduction::sum ? 1 : divisor > 0 ? 1 / divisor : 0;
    ctx.save({z, target, lse, Tensor::full({}, scale, DType::f64)});
    return {Tensor::full({}, sum * scale, z.dtype())};
  }

  Tensors forward(Context& ctx, const Tensors& in) const {
    check(in[1].dtype() == DType::s64, "cross_entropy: expected targets of s64, got ", name_of(in[1].dtype()));
    const Tensor z = kernels::channels_to_back(in[0]), target = in[1].contiguous(Layout::row_major);
    check(z.dtype() == DType::f32 || z.dtype() == DType::f64, "cross_entropy: expected f32 or f64, got ", name_of(z.dtype()));
    return z.dtype() == DType::f32 ? run<float>(ctx, z, target) : run<double>(ctx, z, target);
  }

  template <class C>
  Tensor gradient(const Context& ctx, double grad) const {
    const Tensor &z = ctx.saved(0), &target = ctx.saved(1), &lse = ctx.saved(2);
    const std::int64_t n = z.dim(-1);
    const auto weight = kernels::values_or<C>(options.class_weights, n, 1);
    double total_weight = 0;
    for (const C w : weight) total_weight += static_cast<double>(w);
    const double scale = grad * ctx.saved(3).item(), s = options.label_smoothing;
    Tensor dz = Tensor::empty(z.shape(), z.dtype());
    parallel_for(target.size(), std::max<std::int64_t>(1, 4096 / n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        const std::int64_t t = target.data<std::int64_t>()[r];
        C* row = dz.data<C>() + r * n;
        if (t == options.ignore_index) {
          std::fill_n(row, n, C(0));
          continue;
        }
        const double w = static_cast<double>(weight[static_cast<std::size_t>(t)]), spread = s / static_cast<double>(n);
        gradient_row(row, z.data<C>() + r * n, lse.data<C>()[r], static_cast<C>(scale * ((1 - s) * w + spread * total_weight)),
                     static_cast<C>(scale * spread), weight.data(), n);
        row[t] -= static_cast<C>(scale * (1 - s) * w);
      }
    });
    return kernels::channels_to_front(dz);
  }

  Tensors backward(Context& ctx, const Tensors& grads) const {
    Tensors out(2);
    const double grad = grads[0].item();
    out[0] = ctx.saved(0).dtype() == DType::f32 ? gradient<float>(ctx, grad) : gradient<double>(ctx, grad);
    return out;
  }
};

}  // namespace

Var cross_entropy(const Var& logits, const Var& target, const CrossEntropyOptions& options) {
  return apply(CrossEntropy{options}, {logits, target});
}

}  // namespace fovea
