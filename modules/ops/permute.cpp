#include "modules/ops/permute.hpp"

#include "modules/autograd/apply.hpp"

namespace fovea {
namespace {

// A map seen with rows and columns exchanged is still a map: dense channels-last, or the ops that follow would reorder it.
Tensor permuted(const Tensor& x, const Shape& order) {
  const Tensor view = x.permute(order);
  const bool map = x.layout() == Layout::channels_last && order[0] == 0 && order[1] == 1;
  return map ? view.contiguous(Layout::channels_last) : view;
}

struct Permute {
  static constexpr std::string_view name = "permute";
  static constexpr Policy policy = Policy::statistic;  // follows its input
  Shape order;

  Shape normalised(const Shape& x) const {
    check(order.rank() == x.rank(), "permute: expected ", x.rank(), " axes for ", x, ", got ", order.rank());
    Shape axes = order;
    unsigned seen = 0;
    for (int i = 0; i < order.rank(); ++i) {
      axes[i] = x.axis(static_cast<int>(order[i]), "permute");
      check(!(seen >> axes[i] & 1u), "permute: expected every axis once, got axis ", axes[i], " twice");
      seen |= 1u << axes[i];
    }
    return axes;
  }
  Shapes infer(const Shapes& in) const {
    Shape out = normalised(in[0]);
    for (int i = 0; i < out.rank(); ++i) out[i] = in[0][static_cast<int>(out[i])];
    return {out};
  }
  Tensors forward(Context&, const Tensors& in) const { return {permuted(in[0], normalised(in[0].shape()))}; }
  Lowering lower() const {
    Shape axes = order;
    for (int i = 0; i < axes.rank(); ++i)
      if (axes[i] < 0) axes[i] += axes.rank();
    return role::Permute{{}, axes};
  }
  Tensors backward(Context&, const Tensors& grads) const {
    const Shape axes = normalised(grads[0].shape());
    Shape inverse = axes;
    for (int i = 0; i < axes.rank(); ++i) inverse[static_cast<int>(axes[i])] = i;
    return {permuted(grads[0], inverse)};
  }
};

}  // namespace

Var permute(const Var& x, const Shape& order) { return apply(Permute{order}, {x}); }

}  // namespace fovea
