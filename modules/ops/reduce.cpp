#include "modules/ops/reduce.hpp"

#include "modules/core/reduce.hpp"

namespace fovea {
namespace {

std::vector<bool> flags(const Shape& shape, const std::vector<int>& axes, std::string_view what) {
  check(!axes.empty(), what, ": expected at least one axis");
  std::vector<bool> f(static_cast<std::size_t>(shape.rank()));
  for (int a : axes) f[static_cast<std::size_t>(shape.axis(a, what))] = true;
  return f;
}

// What sums and maxima share: shapes.
struct Axes {
  std::vector<int> axes;
  bool keep = true;

  Shape kept(const Shape& x, std::string_view what) const {
    Shape out = x;
    const auto f = flags(x, axes, what);
    for (int i = 0; i < x.rank(); ++i)
      if (f[static_cast<std::size_t>(i)]) out[i] = 1;
    return out;
  }
  Shape result(const Shape& x, std::string_view what) const {
    if (keep) return kept(x, what);
    const auto f = flags(x, axes, what);
    Shape out;
    for (int i = 0; i < x.rank(); ++i)
      if (!f[static_cast<std::size_t>(i)]) out.push_back(x[i]);
    return out;
  }
};

struct Sum : Axes {
  static constexpr std::string_view name = "sum";
  static constexpr Policy policy = Policy::statistic;
  bool mean = false;
  Shape x_shape;
  Layout layout = Layout::row_major;

  double factor() const {
    return mean ? static_cast<double>(kept(x_shape, name).elements()) / static_cast<double>(x_shape.elements()) : 1.0;
  }
  Shapes infer(const Shapes& in) const { return {result(in[0], name)}; }
  Tensors forward(Context&, const Tensors& in) const {
    check(!mean || in[0].size() > 0, "mean: expected at least one element, got ", in[0].shape());
    return {sum_over(in[0], flags(in[0].shape(), axes, name), mean ? factor() : 1.0).reshape(result(in[0].shape(), name))};
  }
  Tensors backward(Context&, const Tensors& grads) const {
    Tensor g = grads[0].reshape(kept(x_shape, name));
    if (mean) g = sum_over(g, std::vector<bool>(static_cast<std::size_t>(g.rank()), false), factor());
    Tensor out = Tensor::empty(x_shape, g.dtype(), layout);
    out.copy_from(g);
    return {out};
  }
};

struct Max : Axes {
  static constexpr std::string_view name = "max";
  static constexpr Policy policy = Policy::statistic;

  Shapes infer(const Shapes& in) const { return {result(in[0], name)}; }
  Tensors forward(Context& c, const Tensors& in) const {
    Tensor positions;
    Tensor out = max_over(in[0], flags(in[0].shape(), axes, name), &positions);
    c.save({positions, in[0]});
    return {out.reshape(result(in[0].shape(), name))};
  }
  Tensors backward(Context& c, const Tensors& grads) const {
    const Tensor &positions = c.saved(0), &x = c.saved(1);
    Tensor out = Tensor::full(x.shape(), 0, x.dtype(), x.layout());
    dispatch_compute(x.dtype(), name,
                     [&](auto zero) { scatter<decltype(zero)>(grads[0].reshape(positions.shape()), positions, out); });
    return {out};
  }

 private:
  // out[first maximum] = grad, for every reduced group.
  template <class T>
  void scatter(const Tensor& grad, const Tensor& positions, Tensor& out) const {
    const auto f = flags(out.shape(), axes, name);
    const int rank = out.rank();
    for (std::int64_t flat = 0, n = positions.size(); flat < n; ++flat) {
      std::int64_t rest = flat, at_grad = 0, at_position = 0, at_out = 0;
      for (int i = rank - 1; i >= 0; --i) {
        const std::int64_t k = rest % positions.shape()[i];
        rest /= positions.shape()[i];
        at_grad += k * grad.strides()[i], at_position += k * positions.strides()[i], at_out += k * out.strides()[i];
      }
      std::int64_t position = positions.data<std::int64_t>()[at_position];
      for (int i = rank - 1; i >= 0; --i) {
        if (!f[static_cast<std::size_t>(i)]) continue;
        at_out += position % out.shape()[i] * out.strides()[i];
        position /= out.shape()[i];
      }
      out.data<T>()[at_out] = grad.data<T>()[at_grad];
    }
  }
};

Var sum_op(const Var& x, const std::vector<int>& axes, bool keep, bool mean) {
  const Layout layout = x.state()->value.defined() ? x.value().layout() : Layout::row_major;
  return apply(Sum{{axes, keep}, mean, x.shape(), layout}, {x});
}

}  // namespace

Var sum(const Var& x, const std::vector<int>& axes, bool keep) { return sum_op(x, axes, keep, false); }
Var mean(const Var& x, const std::vector<int>& axes, bool keep) { return sum_op(x, axes, keep, true); }
Var max(const Var& x, const std::vector<int>& axes, bool keep) { return apply(Max{{axes, keep}}, {x}); }

}  // namespace fovea
