#include "modules/ops/reduce.hpp"

#include "modules/core/reduce.hpp"
#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"
#include "modules/ops/kernels/extent.hpp"

namespace fovea {
namespace {

std::vector<bool> flags(const Shape& shape, const std::vector<int>& axes, std::string_view what) {
  check(!axes.empty(), what, ": expected at least one axis");
  std::vector<bool> f(static_cast<std::size_t>(shape.rank()));
  for (int a : axes) f[static_cast<std::size_t>(shape.axis(a, what))] = true;
  return f;
}

constexpr std::int64_t kTogether = 512;  // columns that one job takes
constexpr std::int64_t kPiece = 512;     // elements summed in f32 before they go over to f64

FOVEA_SIMD void add_row(double& total, const float* x, std::int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += x[i];
  total += static_cast<double>(sum);
}

// y = scale * sum of the rows, of `n` columns.
FOVEA_SIMD void add_columns(float* y, const float* x, std::int64_t rows, std::int64_t stride, std::int64_t n, double scale) {
  double total[kTogether];
  float sum[kTogether];
  for (std::int64_t i = 0; i < n; ++i) total[i] = 0;
  for (std::int64_t first = 0; first < rows; first += kPiece) {
    std::int64_t r = first;
    const std::int64_t last = rows < first + kPiece ? rows : first + kPiece;
    for (std::int64_t i = 0; i < n; ++i) sum[i] = 0;
    for (; r + 4 <= last; r += 4) {
      const float *a = x + r * stride, *b = a + stride, *c = b + stride, *d = c + stride;
      for (std::int64_t i = 0; i < n; ++i) sum[i] += (a[i] + b[i]) + (c[i] + d[i]);
    }
    for (; r < last; ++r)
      for (std::int64_t i = 0; i < n; ++i) sum[i] += x[r * stride + i];
    for (std::int64_t i = 0; i < n; ++i) total[i] += static_cast<double>(sum[i]);
  }
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(total[i] * scale);
}

void sum_extent(const kernels::Extent& e, double scale, const float* x, float* y) {
  const std::int64_t pieces = (e.inner + kTogether - 1) / kTogether;
  const std::int64_t grain = std::max<std::int64_t>(1, 16384 / (e.size * std::min(e.inner, kTogether)));
  parallel_for(e.outer * pieces, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t job = begin; job < end; ++job) {
      const std::int64_t o = job / pieces, from = job % pieces * kTogether;
      const float* rows = x + o * e.size * e.inner + from;
      if (e.inner > 1) {
        add_columns(y + o * e.inner + from, rows, e.size, e.inner, std::min(kTogether, e.inner - from), scale);
        continue;
      }
      double total = 0;
      for (std::int64_t i = 0; i < e.size; i += kPiece) add_row(total, rows + i, std::min(kPiece, e.size - i));
      y[o] = static_cast<float>(total * scale);
    }
  });
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
  Lowering lower() const {
    const bool one_axis = x_shape.rank() == 4 && keep && (axes == std::vector{2} || axes == std::vector{3});
    if (one_axis) return role::AxisReduce{{axes.front(), mean ? factor() : 1.0}, computation()};
    return computation();
  }
  role::Computation computation() const {
    using Computation = role::Computation;
    return {[*this](const auto& in, const auto& out) -> std::optional<Computation::Bound> {
      const auto e = kernels::extent_of(in[0], flags(x_shape, axes, name));
      if (!e || !same_order(in[0], out[0])) return std::nullopt;
      return Computation::Bound{
          [e, scale = mean ? factor() : 1.0](auto* x, auto* y, float*) { sum_extent(*e, scale, x[0], y[0]); }};
    }};
  }
  // Whether the axes that stay lie in the same order before and after.
  bool same_order(const role::Computation::Value& in, const role::Computation::Value& out) const {
    const auto f = flags(x_shape, axes, name);
    std::vector<int> to;  // of an axis: where it is in the result
    int next = 0;
    for (int i = 0; i < x_shape.rank(); ++i) to.push_back(f[static_cast<std::size_t>(i)] && !keep ? -1 : next++);
    std::vector<int> stay;
    for (const int axis : kernels::axes_in_memory(in))
      if (!f[static_cast<std::size_t>(axis)]) stay.push_back(to[static_cast<std::size_t>(axis)]);
    return stay == kernels::axes_in_memory(out);
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
