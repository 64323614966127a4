#include "modules/ops/slice.hpp"

#include <algorithm>

#include "modules/autograd/apply.hpp"

namespace fovea {
namespace {

// What follows a part of a map (pointwise work, convolutions) wants it dense channels-last.
Tensor part_of(const Tensor& x, int axis, std::int64_t begin, std::int64_t end, std::int64_t step) {
  const Tensor view = x.slice(axis, begin, end, step);
  return x.layout() == Layout::channels_last ? view.contiguous(Layout::channels_last) : view;
}

struct Slice {
  static constexpr std::string_view name = "slice";
  static constexpr Policy policy = Policy::statistic;  // follows its input
  int axis;
  std::int64_t begin, end, step;
  Shape input;

  Shapes infer(const Shapes& in) const {
    check(step > 0, "slice: expected a positive step, got ", step);
    return {in[0].with(axis, (end - begin + step - 1) / step)};
  }
  Placement placement(const Shapes& in, const Shapes&) const {
    Placement p;
    if (in[0].rank() != 4 || axis < 2) return p;
    p.step[static_cast<std::size_t>(axis - 2)] = static_cast<double>(step);
    p.offset[static_cast<std::size_t>(axis - 2)] = static_cast<double>(begin);
    return p;
  }
  Tensors forward(Context&, const Tensors& in) const { return {part_of(in[0], axis, begin, end, step)}; }
  Lowering lower() const { return role::Slice{axis, begin, step}; }
  Tensors backward(Context&, const Tensors& grads) const {
    Tensor dx = Tensor::zeros(input, grads[0].dtype(), grads[0].layout());
    dx.slice(axis, begin, end, step).copy_from(grads[0]);
    return {dx};
  }
};

struct Split {
  static constexpr std::string_view name = "split";
  static constexpr Policy policy = Policy::statistic;  // follows its input
  int axis;
  std::vector<std::int64_t> sizes;
  Shape input;

  Shapes infer(const Shapes& in) const {
    std::int64_t total = 0;
    Shapes out;
    for (const auto size : sizes) {
      check(size >= 0, "split: expected sizes of at least 0, got ", size);
      total += size;
      out.push_back(in[0].with(axis, size));
    }
    check(total == in[0][axis], "split: expected sizes that add up to ", in[0][axis], " (axis ", axis, " of ", in[0], "), got ",
          total);
    return out;
  }
  Tensors forward(Context&, const Tensors& in) const {
    Tensors out;
    std::int64_t at = 0;
    for (const auto size : sizes) {
      out.push_back(part_of(in[0], axis, at, at + size, 1));
      at += size;
    }
    return out;
  }
  Lowering lower() const { return role::Split{axis}; }
  // A piece that nothing used has no gradient: zeros.
  Tensors backward(Context&, const Tensors& grads) const {
    const auto used = std::find_if(grads.begin(), grads.end(), [](const Tensor& g) { return g.defined(); });
    Tensor dx = Tensor::empty(input, used->dtype(), used->layout());
    std::int64_t at = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      Tensor part = dx.slice(axis, at, at + sizes[i]);
      if (i < grads.size() && grads[i].defined()) part.copy_from(grads[i]);
      else part.fill(0);
      at += sizes[i];
    }
    return {dx};
  }
};

}  // namespace

Var slice(const Var& x, int axis, std::int64_t begin, std::int64_t end, std::int64_t step) {
  const int a = x.shape().axis(axis, "slice");
  const std::int64_t size = x.shape()[a];
  auto position = [&](std::int64_t p) { return std::clamp<std::int64_t>(p < 0 ? p + size : p, 0, size); };
  begin = position(begin);
  return apply(Slice{a, begin, std::max(begin, position(end)), step, x.shape()}, {x});
}

Vars split(const Var& x, int axis, const std::vector<std::int64_t>& sizes) {
  return apply_all(Split{x.shape().axis(axis, "split"), sizes, x.shape()}, {x});
}

}  // namespace fovea
