// Values and gradients come from one formula on numbers that carry their derivatives by the four corners: a step has some hundred boxes, so
// that the arithmetic costs nothing, and nothing is derived by hand.
#include <array>
#include <cmath>
#include <numbers>

#include "modules/autograd/apply.hpp"
#include "modules/nn/detection_losses.hpp"

namespace fovea {
namespace {

// A number and its derivatives by x1, y1, x2, y2.
template <class C>
struct Dual {
  C value = 0;
  std::array<C, 4> slope{};

  Dual() = default;
  Dual(C constant) : value(constant) {}
  static Dual variable(C value, std::size_t which) {
    Dual d(value);
    d.slope[which] = 1;
    return d;
  }
  // f(value), whose derivative there is `by`.
  Dual mapped(C f, C by) const {
    Dual d(f);
    for (std::size_t i = 0; i < 4; ++i) d.slope[i] = by * slope[i];
    return d;
  }
};

template <class C>
Dual<C> combined(const Dual<C>& a, const Dual<C>& b, C value, C by_a, C by_b) {
  Dual<C> d(value);
  for (std::size_t i = 0; i < 4; ++i) d.slope[i] = by_a * a.slope[i] + by_b * b.slope[i];
  return d;
}
template <class C>
Dual<C> operator+(const Dual<C>& a, const Dual<C>& b) {
  return combined<C>(a, b, a.value + b.value, 1, 1);
}
template <class C>
Dual<C> operator-(const Dual<C>& a, const Dual<C>& b) {
  return combined<C>(a, b, a.value - b.value, 1, -1);
}
template <class C>
Dual<C> operator*(const Dual<C>& a, const Dual<C>& b) {
  return combined<C>(a, b, a.value * b.value, b.value, a.value);
}
// 0 / 0 is 0 with a slope of 0: boxes without area have no IoU.
template <class C>
Dual<C> operator/(const Dual<C>& a, const Dual<C>& b) {
  if (b.value == 0) return {};
  return combined<C>(a, b, a.value / b.value, 1 / b.value, -a.value / (b.value * b.value));
}
template <class C>
const Dual<C>& lesser(const Dual<C>& a, const Dual<C>& b) {
  return a.value <= b.value ? a : b;
}
template <class C>
const Dual<C>& greater(const Dual<C>& a, const Dual<C>& b) {
  return a.value >= b.value ? a : b;
}

template <class C>
struct DualBox {
  Dual<C> x1, y1, x2, y2;
  Dual<C> width() const { return greater(x2 - x1, Dual<C>()); }
  Dual<C> height() const { return greater(y2 - y1, Dual<C>()); }
  Dual<C> area() const { return width() * height(); }
};

template <class C>
DualBox<C> overlap(const DualBox<C>& a, const DualBox<C>& b) {
  return {greater(a.x1, b.x1), greater(a.y1, b.y1), lesser(a.x2, b.x2), lesser(a.y2, b.y2)};
}
template <class C>
DualBox<C> hull(const DualBox<C>& a, const DualBox<C>& b) {
  return {lesser(a.x1, b.x1), lesser(a.y1, b.y1), greater(a.x2, b.x2), greater(a.y2, b.y2)};
}

// Squared distance of the centres over the squared diagonal of the hull.
template <class C>
Dual<C> centre_distance(const DualBox<C>& a, const DualBox<C>& b) {
  const DualBox<C> around = hull(a, b);
  const Dual<C> dx = a.x1 + a.x2 - b.x1 - b.x2, dy = a.y1 + a.y2 - b.y1 - b.y2;
  const Dual<C> w = around.width(), h = around.height();
  return Dual<C>(C(0.25)) * (dx * dx + dy * dy) / (w * w + h * h);
}

// How far the proportions differ, by the angles of the diagonals, times a factor that grows with the overlap.
template <class C>
Dual<C> proportions(const DualBox<C>& a, const DualBox<C>& b, C iou) {
  const auto angle = [](const DualBox<C>& box) {
    const Dual<C> w = box.width(), h = box.height();
    const C square = w.value * w.value + h.value * h.value;
    if (square == 0) return Dual<C>();
    return combined<C>(w, h, std::atan2(w.value, h.value), h.value / square, -w.value / square);
  };
  const Dual<C> d = angle(a) - angle(b);
  const Dual<C> v = Dual<C>(static_cast<C>(4 / (std::numbers::pi * std::numbers::pi))) * d * d;
  const C divisor = 1 - iou + v.value;
  return divisor > 0 ? Dual<C>(v.value / divisor) * v : Dual<C>();
}

template <class C>
Dual<C> loss_of(const DualBox<C>& a, const DualBox<C>& b, BoxLoss kind) {
  const Dual<C> both = overlap(a, b).area(), either = a.area() + b.area() - both, iou = both / either;
  const Dual<C> loss = Dual<C>(1) - iou;
  if (kind == BoxLoss::iou) return loss;
  if (kind == BoxLoss::giou) {
    const Dual<C> around = hull(a, b).area();
    return loss + (around - either) / around;
  }
  const Dual<C> near = loss + centre_distance(a, b);
  return kind == BoxLoss::diou ? near : near + proportions(a, b, iou.value);
}

struct PairLoss {
  static constexpr std::string_view name = "box_loss";
  static constexpr Policy policy = Policy::loss;
  BoxLoss kind;

  Shapes infer(const Shapes& in) const {
    check(in[0].rank() == 2 && in[0][1] == 4, name, ": expected boxes (R, 4), got ", in[0]);
    check(in[1] == in[0] && in[2] == Shape{in[0][0]}, name, ": expected targets of shape ", in[0], " and weights of shape ",
          in[0][0], ", got ", in[1], " and ", in[2]);
    return {Shape{}};
  }

  // The loss of pair r; its slopes by the box's corners are added to `gradient` where there is one.
  template <class C>
  static double row(const C* box, const C* target, C weight, BoxLoss kind, C* gradient, C scale) {
    DualBox<C> a{Dual<C>::variable(box[0], 0), Dual<C>::variable(box[1], 1), Dual<C>::variable(box[2], 2),
                 Dual<C>::variable(box[3], 3)};
    const DualBox<C> b{target[0], target[1], target[2], target[3]};
    const Dual<C> loss = loss_of(a, b, kind);
    if (gradient)
      for (std::size_t i = 0; i < 4; ++i) gradient[i] = scale * weight * loss.slope[i];
    return static_cast<double>(weight) * static_cast<double>(loss.value);
  }

  Tensors forward(Context& c, const Tensors& in) const {
    const Tensor a = in[0].contiguous(Layout::row_major);
    check(a.dtype() == DType::f32 || a.dtype() == DType::f64, name, ": expected f32 or f64, got ", name_of(a.dtype()));
    const Tensor b = in[1].to(a.dtype()).contiguous(Layout::row_major), w = in[2].to(a.dtype()).contiguous(Layout::row_major);
    double total = 0;
    dispatch_compute(a.dtype(), name, [&](auto zero) {
      using C = decltype(zero);
      if constexpr (std::is_floating_point_v<C>)
        for (std::int64_t r = 0; r < a.dim(0); ++r)
          total += row<C>(a.data<C>() + 4 * r, b.data<C>() + 4 * r, w.data<C>()[r], kind, nullptr, 0);
    });
    c.save({a, b, w});
    return {Tensor::full({}, total, a.dtype())};
  }

  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor &a = c.saved(0), &b = c.saved(1), &w = c.saved(2);
    Tensor out = Tensor::like(a);
    dispatch_compute(a.dtype(), name, [&](auto zero) {
      using C = decltype(zero);
      if constexpr (std::is_floating_point_v<C>)
        for (std::int64_t r = 0; r < a.dim(0); ++r)
          row<C>(a.data<C>() + 4 * r, b.data<C>() + 4 * r, w.data<C>()[r], kind, out.data<C>() + 4 * r,
                 static_cast<C>(grads[0].item()));
    });
    return {out, {}, {}};
  }
};

}  // namespace

Var box_loss(const Var& boxes, const Var& target, const Var& weight, BoxLoss kind) {
  return apply(PairLoss{kind}, {boxes, target, weight});
}

BoxLoss box_loss_called(const std::string& name, const std::string& where) {
  constexpr std::pair<const char*, BoxLoss> kKinds[] = {
      {"iou", BoxLoss::iou}, {"giou", BoxLoss::giou}, {"diou", BoxLoss::diou}, {"ciou", BoxLoss::ciou}};
  for (const auto& [text, kind] : kKinds)
    if (name == text) return kind;
  fail(where, ": expected iou, giou, diou or ciou, got '", name, "'");
}

}  // namespace fovea
