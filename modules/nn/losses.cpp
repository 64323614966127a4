#include "modules/nn/losses.hpp"

#include <algorithm>
#include <cmath>

#include "modules/autograd/apply.hpp"
#include "modules/core/math.hpp"
#include "modules/ops/kernels/channel_rows.hpp"

namespace fovea {
namespace {

using kernels::ChannelRows;

constexpr std::int64_t kBlock = 2048;  // short enough for f32 where the sum is not vectorised either

// Sum of sum_of(begin, end) over [0, n) in blocks that depend on n alone.
template <class Sum>
double sum_blocks(std::int64_t n, const Sum& sum_of) {
  std::vector<double> partial(static_cast<std::size_t>((n + kBlock - 1) / kBlock), 0.0);
  parallel_blocks(static_cast<std::int64_t>(partial.size()), [&](std::int64_t b) {
    partial[static_cast<std::size_t>(b)] = static_cast<double>(sum_of(b * kBlock, std::min(n, (b + 1) * kBlock)));
  });
  double total = 0;
  for (const double p : partial) total += p;
  return total;
}

void check_pair(std::string_view what, const Shapes& in) {
  check(in[0] == in[1], what, ": expected a target of shape ", in[0], ", got ", in[1]);
}

// The target in the prediction's type and layout.
Tensor matching(const Tensor& target, const Tensor& prediction) {
  return target.to(prediction.dtype()).contiguous(prediction.layout());
}

Tensor scalar(double value, DType type) { return Tensor::full({}, value, type); }

Tensor negated(const Tensor& t) {
  Tensor out = Tensor::like(t);
  dispatch_compute(t.dtype(), "loss", [&](auto zero) {
    using T = decltype(zero);
    std::transform(t.data<T>(), t.data<T>() + t.size(), out.data<T>(), [](T v) { return static_cast<T>(-v); });
  });
  return out;
}

// A loss of d = prediction - target: its value and its slope.
struct Absolute {
  static constexpr std::string_view name = "l1_loss";
  template <class C>
  FOVEA_INLINE C value(C d) const {
    return d < 0 ? -d : d;
  }
  template <class C>
  FOVEA_INLINE C slope(C d) const {
    return d > 0 ? C(1) : d < 0 ? C(-1) : d != d ? d : C(0);
  }
};
struct Square {
  static constexpr std::string_view name = "mse_loss";
  template <class C>
  FOVEA_INLINE C value(C d) const {
    return d * d;
  }
  template <class C>
  FOVEA_INLINE C slope(C d) const {
    return 2 * d;
  }
};
struct Charbonnier {
  static constexpr std::string_view name = "charbonnier_loss";
  double eps;
  template <class C>
  FOVEA_INLINE C value(C d) const {
    return std::sqrt(d * d + static_cast<C>(eps * eps));
  }
  template <class C>
  FOVEA_INLINE C slope(C d) const {
    return d / value(d);
  }
};

template <class F, class C>
FOVEA_SIMD C sum_of_differences(const F& f, const C* p, const C* t, std::int64_t n) {
  C sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += f.value(p[i] - t[i]);
  return sum;
}

template <class F, class C>
FOVEA_SIMD void slopes(const F& f, C* g, const C* p, const C* t, C scale, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) g[i] = f.slope(p[i] - t[i]) * scale;
}

// Calls f(C{}) for the two types that a loss computes in.
template <class F>
void dispatch_loss(DType type, std::string_view what, const F& f) {
  check(type == DType::f32 || type == DType::f64, what, ": expected f32 or f64, got ", name_of(type));
  if (type == DType::f32) f(float{});
  else f(double{});
}

template <class F>
struct DifferenceLoss {
  static constexpr std::string_view name = F::name;
  static constexpr Policy policy = Policy::loss;
  F f;
  Reduction reduction;

  double scale(const Tensor& p) const { return reduction == Reduction::sum ? 1.0 : 1.0 / static_cast<double>(p.size()); }

  Shapes infer(const Shapes& in) const {
    check_pair(name, in);
    check(in[0].elements() > 0, name, ": expected at least one element, got ", in[0]);
    return {Shape{}};
  }
  Tensors forward(Context& c, const Tensors& in) const {
    const Tensor p = in[0].contiguous(), t = matching(in[1], p);
    double total = 0;
    dispatch_loss(p.dtype(), name, [&](auto zero) {
      using C = decltype(zero);
      total = sum_blocks(p.size(), [&](std::int64_t b, std::int64_t e) {
        return sum_of_differences(f, p.data<C>() + b, t.data<C>() + b, e - b);
      });
    });
    c.save({p, t});
    return {scalar(total * scale(p), p.dtype())};
  }
  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor &p = c.saved(0), &t = c.saved(1);
    Tensor g = Tensor::like(p);
    dispatch_loss(p.dtype(), name, [&](auto zero) {
      using C = decltype(zero);
      const auto s = static_cast<C>(grads[0].item() * scale(p));
      parallel_for(p.size(), 16384, [&](std::int64_t b, std::int64_t e) {
        slopes(f, g.data<C>() + b, p.data<C>() + b, t.data<C>() + b, s, e - b);
      });
    });
    return {c.needs(0) ? g : Tensor(), c.needs(1) ? negated(g) : Tensor()};
  }
};

// max(x, 0) - x t + log(1 + exp(-|x|)), with the positive part weighted by w:
//   (1 - t) x + (1 + (w - 1) t) (log(1 + exp(-|x|)) + max(-x, 0)).
template <class C>
FOVEA_SIMD C sum_bce(const C* x, const C* t, const C* w, std::int64_t rows, std::int64_t channels) {
  C sum = 0;
  for (std::int64_t r = 0; r < rows; ++r, x += channels, t += channels) {
#pragma omp simd reduction(+ : sum)
    for (std::int64_t c = 0; c < channels; ++c) {
      const C softplus = math::log1p_unit(math::exp(-std::abs(x[c]))) + (x[c] < 0 ? -x[c] : C(0));
      sum += (1 - t[c]) * x[c] + (1 + (w[c] - 1) * t[c]) * softplus;
    }
  }
  return sum;
}

template <class C>
FOVEA_SIMD void bce_slopes(C* gx, C* gt, const C* x, const C* t, const C* w, C scale, std::int64_t rows, std::int64_t channels) {
  for (std::int64_t r = 0; r < rows; ++r, x += channels, t += channels, gx += channels, gt += channels)
    for (std::int64_t c = 0; c < channels; ++c) {
      const C e = math::exp(-std::abs(x[c])), negative = (x[c] < 0 ? C(1) : e) / (1 + e);  // sigmoid(-x)
      const C softplus = math::log1p_unit(e) + (x[c] < 0 ? -x[c] : C(0));
      gx[c] = scale * ((1 - t[c]) - (1 + (w[c] - 1) * t[c]) * negative);
      gt[c] = scale * ((w[c] - 1) * softplus - x[c]);
    }
}

// Everything as rows of channels; without a channel axis the rows have one value.
Tensor as_rows(const Tensor& t) { return t.rank() >= 2 ? kernels::channels_to_back(t) : t.contiguous(); }
Tensor from_rows(const Tensor& t) { return t.rank() >= 2 ? kernels::channels_to_front(t) : t; }
ChannelRows rows_of(const Shape& s) {
  const std::int64_t channels = s.rank() >= 2 ? s[1] : 1;
  return {1, s.elements() / std::max<std::int64_t>(channels, 1), channels};
}

struct BceWithLogits {
  static constexpr std::string_view name = "bce_with_logits";
  static constexpr Policy policy = Policy::loss;
  BceOptions options;

  double scale(std::int64_t n) const { return options.reduction == Reduction::sum ? 1.0 : 1.0 / static_cast<double>(n); }

  Shapes infer(const Shapes& in) const {
    check_pair(name, in);
    check(in[0].elements() > 0, name, ": expected at least one element, got ", in[0]);
    const Tensor& w = options.pos_weight;
    check(!w.defined() || w.size() == 1 || (w.rank() == 1 && w.size() == rows_of(in[0]).channels), name,
          ": expected a scalar pos_weight or one of shape ", rows_of(in[0]).channels, ", got ",
          w.defined() ? w.shape() : Shape{});
    return {Shape{}};
  }
  template <class C>
  std::vector<C> weights(std::int64_t channels) const {
    const Tensor& w = options.pos_weight;
    if (w.defined() && w.size() == 1) return std::vector<C>(static_cast<std::size_t>(channels), static_cast<C>(w.item()));
    return kernels::values_or<C>(w, channels, 1);
  }
  Tensors forward(Context& ctx, const Tensors& in) const {
    const Tensor x = as_rows(in[0]), t = as_rows(in[1]).to(x.dtype());
    const ChannelRows s = rows_of(in[0].shape());
    double total = 0;
    dispatch_loss(x.dtype(), name, [&](auto zero) {
      using C = decltype(zero);
      const auto w = weights<C>(s.channels);
      const auto sums =
          kernels::sum_rows<1, C>({1, s.rows, s.channels}, [&](C* acc, std::int64_t first, std::int64_t rows, std::int64_t) {
            acc[0] += sum_bce(x.data<C>() + first * s.channels, t.data<C>() + first * s.channels, w.data(), rows, s.channels);
          });
      for (const double v : sums) total += v;
    });
    ctx.save({x, t});
    return {scalar(total * scale(x.size()), x.dtype())};
  }
  Tensors backward(Context& ctx, const Tensors& grads) const {
    const Tensor &x = ctx.saved(0), &t = ctx.saved(1);
    Tensor gx = Tensor::like(x), gt = Tensor::like(x);
    const std::int64_t channels = x.rank() >= 2 ? x.dim(-1) : 1;
    dispatch_loss(x.dtype(), name, [&](auto zero) {
      using C = decltype(zero);
      const auto w = weights<C>(channels);
      const auto s = static_cast<C>(grads[0].item() * scale(x.size()));
      parallel_for(x.size() / channels, std::max<std::int64_t>(1, 4096 / channels), [&](std::int64_t b, std::int64_t e) {
        const std::int64_t at = b * channels;
        bce_slopes(gx.data<C>() + at, gt.data<C>() + at, x.data<C>() + at, t.data<C>() + at, w.data(), s, e - b, channels);
      });
    });
    return {ctx.needs(0) ? from_rows(gx) : Tensor(), ctx.needs(1) ? from_rows(gt) : Tensor()};
  }
};

template <class C>
FOVEA_SIMD void add_overlaps(C* both, C* either, const C* p, const C* t, std::int64_t rows, std::int64_t channels) {
  for (std::int64_t r = 0; r < rows; ++r, p += channels, t += channels)
    for (std::int64_t c = 0; c < channels; ++c) both[c] += p[c] * t[c], either[c] += p[c] + t[c];
}

template <class C>
FOVEA_SIMD void dice_slopes(C* g, const C* other, const C* by_both, const C* by_either, std::int64_t rows,
                            std::int64_t channels) {
  for (std::int64_t r = 0; r < rows; ++r, g += channels, other += channels)
    for (std::int64_t c = 0; c < channels; ++c) g[c] = by_both[c] * other[c] + by_either[c];
}

struct SoftDice {
  static constexpr std::string_view name = "soft_dice_loss";
  static constexpr Policy policy = Policy::loss;
  DiceOptions options;

  static ChannelRows samples(const Shape& s) { return {s[0], s.elements() / std::max<std::int64_t>(s[0] * s[1], 1), s[1]}; }

  Shapes infer(const Shapes& in) const {
    check_pair(name, in);
    check(in[0].rank() >= 2 && in[0].elements() > 0, name, ": expected (N, C, ...) with at least one element, got ", in[0]);
    const Tensor& w = options.class_weights;
    check(!w.defined() || w.shape() == Shape{in[0][1]}, name, ": expected ", in[0][1], " class weights, got ",
          w.defined() ? w.shape() : Shape{});
    return {Shape{}};
  }
  // What each class of a sample counts for: in sum over samples and classes 1.
  std::vector<double> shares(const ChannelRows& s) const {
    auto shares = kernels::values_or<double>(options.class_weights, s.channels, 1);
    double total = 0;
    for (const double w : shares) {
      check(w >= 0, name, ": expected class weights from 0, got ", w);
      total += w;
    }
    check(total > 0, name, ": expected class weights above 0 in sum, got ", total);
    for (double& w : shares) w /= total * static_cast<double>(s.segments);
    return shares;
  }
  // Sums of p t and p + t: [sample][both, either][channel].
  template <class C>
  static std::vector<double> overlaps(const Tensor& p, const Tensor& t, const ChannelRows& s) {
    return kernels::sum_rows<2, C>(s, [&](C* acc, std::int64_t first, std::int64_t rows, std::int64_t) {
      add_overlaps(acc, acc + s.channels, p.data<C>() + first * s.channels, t.data<C>() + first * s.channels, rows, s.channels);
    });
  }
  Tensors forward(Context& c, const Tensors& in) const {
    const Tensor p = as_rows(in[0]), t = as_rows(in[1]).to(p.dtype());
    const ChannelRows s = samples(in[0].shape());
    const auto channels = static_cast<std::size_t>(s.channels), count = static_cast<std::size_t>(s.segments) * channels;
    const auto share = shares(s);
    double total = 0;
    dispatch_loss(p.dtype(), name, [&](auto zero) {
      const auto sums = overlaps<decltype(zero)>(p, t, s);
      for (std::size_t i = 0; i < count; ++i) {
        const double both = sums[i / channels * 2 * channels + i % channels],
                     either = sums[(i / channels * 2 + 1) * channels + i % channels];
        total += share[i % channels] * (2 * both + options.smooth) / (either + options.smooth);
      }
    });
    c.save({p, t});
    return {scalar(1 - total, p.dtype())};
  }
  // d/dp of (2 b + s) / (e + s) is 2 t / (e + s) - (2 b + s) / (e + s)^2.
  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor &p = c.saved(0), &t = c.saved(1);
    const ChannelRows s = samples(grads_shape(p));
    const auto channels = static_cast<std::size_t>(s.channels), count = static_cast<std::size_t>(s.segments) * channels;
    Tensor gp = Tensor::like(p), gt = Tensor::like(p);
    const auto share = shares(s);
    dispatch_loss(p.dtype(), name, [&](auto zero) {
      using C = decltype(zero);
      const auto sums = overlaps<C>(p, t, s);
      std::vector<C> by_both(count), by_either(count);
      for (std::size_t i = 0; i < count; ++i) {
        const double both = sums[i / channels * 2 * channels + i % channels];
        const double whole = sums[(i / channels * 2 + 1) * channels + i % channels] + options.smooth;
        const double scale = -grads[0].item() * share[i % channels];
        by_both[i] = static_cast<C>(2 * scale / whole);
        by_either[i] = static_cast<C>(-scale * (2 * both + options.smooth) / (whole * whole));
      }
      kernels::for_each_block(s, [&](std::int64_t n, std::int64_t first, std::int64_t rows, std::int64_t) {
        const std::int64_t at = first * s.channels, sample = n * s.channels;
        dice_slopes(gp.data<C>() + at, t.data<C>() + at, by_both.data() + sample, by_either.data() + sample, rows, s.channels);
        dice_slopes(gt.data<C>() + at, p.data<C>() + at, by_both.data() + sample, by_either.data() + sample, rows, s.channels);
      });
    });
    return {c.needs(0) ? from_rows(gp) : Tensor(), c.needs(1) ? from_rows(gt) : Tensor()};
  }
  static Shape grads_shape(const Tensor& rows) { return kernels::channels_to_front(rows).shape(); }
};

}  // namespace

Var l1_loss(const Var& prediction, const Var& target, Reduction reduction) {
  return apply(DifferenceLoss<Absolute>{{}, reduction}, {prediction, target});
}
Var mse_loss(const Var& prediction, const Var& target, Reduction reduction) {
  return apply(DifferenceLoss<Square>{{}, reduction}, {prediction, target});
}
Var charbonnier_loss(const Var& prediction, const Var& target, double eps, Reduction reduction) {
  return apply(DifferenceLoss<Charbonnier>{{eps}, reduction}, {prediction, target});
}
Var bce_with_logits(const Var& logits, const Var& target, const BceOptions& options) {
  return apply(BceWithLogits{options}, {logits, target});
}
Var soft_dice_loss(const Var& probabilities, const Var& target, const DiceOptions& options) {
  return apply(SoftDice{options}, {probabilities, target});
}

}  // namespace fovea
