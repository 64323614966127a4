// y = sum of w a m b with p = sigmoid(x), d = p - t, m = |d|^gamma, b = bce(x, t), and
//   dy/dx = w a (m' p (1 - p) b + m d),  m' = gamma |d|^(gamma - 1) sign(d),  since db/dx = d.
#include <cmath>

#include "modules/autograd/apply.hpp"
#include "modules/core/math.hpp"
#include "modules/nn/detection_losses.hpp"
#include "modules/ops/kernels/channel_rows.hpp"

namespace fovea {
namespace {

constexpr std::int64_t kBlock = 2048;

// |d|^gamma and its slope. gamma 2, the usual one, without a power.
template <class C>
struct Focus {
  C gamma;
  FOVEA_INLINE C value(C d) const {
    if (gamma == 2) return d * d;
    return gamma == 0 ? C(1) : std::pow(std::abs(d), gamma);
  }
  FOVEA_INLINE C slope(C d) const {
    if (gamma == 2) return 2 * d;
    if (gamma == 0) return 0;
    const C slope = gamma * std::pow(std::abs(d), gamma - 1);
    return d < 0 ? -slope : slope;
  }
};

template <class C>
struct Element {
  C p, d, bce;
  FOVEA_INLINE Element(C x, C t) {
    const C e = math::exp(-std::abs(x));
    p = (x < 0 ? e : C(1)) / (1 + e);
    d = p - t;
    bce = (x > 0 ? x : C(0)) - x * t + math::log1p_unit(e);
  }
};

struct FocalLoss {
  static constexpr std::string_view name = "focal_loss";
  static constexpr Policy policy = Policy::loss;
  FocalOptions options;

  Shapes infer(const Shapes& in) const {
    check(in[0].elements() > 0, name, ": expected at least one logit, got ", in[0]);
    check(in[1] == in[0] && in[2] == in[0], name, ": expected a target and weights of shape ", in[0], ", got ", in[1], " and ",
          in[2]);
    check(options.gamma == 0 || options.gamma >= 1, name, ": gamma: expected 0, or at least 1, got ", options.gamma);
    check(options.alpha <= 1, name, ": alpha: expected at most 1, got ", options.alpha);
    return {Shape{}};
  }

  template <class C>
  C balance(C target) const {
    return options.alpha < 0 ? C(1) : static_cast<C>(target > 0 ? options.alpha : 1 - options.alpha);
  }

  template <class C>
  double sum(const Tensor& x, const Tensor& t, const Tensor& w) const {
    const Focus<C> focus{static_cast<C>(options.gamma)};
    std::vector<double> partial(static_cast<std::size_t>((x.size() + kBlock - 1) / kBlock), 0.0);
    parallel_blocks(static_cast<std::int64_t>(partial.size()), [&](std::int64_t b) {
      C block = 0;
      for (std::int64_t i = b * kBlock; i < std::min(x.size(), (b + 1) * kBlock); ++i) {
        const Element<C> e(x.data<C>()[i], t.data<C>()[i]);
        block += w.data<C>()[i] * balance(t.data<C>()[i]) * focus.value(e.d) * e.bce;
      }
      partial[static_cast<std::size_t>(b)] = static_cast<double>(block);
    });
    double total = 0;
    for (const double p : partial) total += p;
    return total;
  }

  Tensors forward(Context& c, const Tensors& in) const {
    const Tensor x = in[0].contiguous();
    check(x.dtype() == DType::f32 || x.dtype() == DType::f64, name, ": expected f32 or f64, got ", name_of(x.dtype()));
    const Tensor t = in[1].to(x.dtype()).contiguous(x.layout()), w = in[2].to(x.dtype()).contiguous(x.layout());
    c.save({x, t, w});
    return {Tensor::full({}, x.dtype() == DType::f32 ? sum<float>(x, t, w) : sum<double>(x, t, w), x.dtype())};
  }

  template <class C>
  Tensor gradient(const Tensor& x, const Tensor& t, const Tensor& w, double grad) const {
    const Focus<C> focus{static_cast<C>(options.gamma)};
    Tensor out = Tensor::like(x);
    parallel_for(x.size(), 4096, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const C target = t.data<C>()[i];
        const Element<C> e(x.data<C>()[i], target);
        out.data<C>()[i] = static_cast<C>(grad) * w.data<C>()[i] * balance(target) *
                           (focus.slope(e.d) * e.p * (1 - e.p) * e.bce + focus.value(e.d) * e.d);
      }
    });
    return out;
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor &x = c.saved(0), &t = c.saved(1), &w = c.saved(2);
    const double grad = grads[0].item();
    return {x.dtype() == DType::f32 ? gradient<float>(x, t, w, grad) : gradient<double>(x, t, w, grad), {}, {}};
  }
};

}  // namespace

Var focal_loss(const Var& logits, const Var& target, const Var& weight, const FocalOptions& options) {
  return apply(FocalLoss{options}, {logits, target, weight});
}

}  // namespace fovea
