#include "modules/ops/cumsum.hpp"

#include <algorithm>

#include "modules/ops/kernels/lines.hpp"

namespace fovea {
namespace {

template <class T>
void cumsum_line(const T* x, T* y, std::int64_t n, std::int64_t stride, CumsumOptions o) {
  double sum = 0;
  for (std::int64_t step = 0; step < n; ++step) {
    const std::int64_t i = (o.reverse ? n - 1 - step : step) * stride;
    const double value = static_cast<double>(static_cast<compute_t<T>>(x[i]));
    if (!o.exclusive) sum += value;
    y[i] = static_cast<T>(static_cast<compute_t<T>>(sum));
    if (o.exclusive) sum += value;
  }
}

template <class T>
void moving_line(const T* x, T* y, std::int64_t n, std::int64_t stride, std::int64_t before, std::int64_t after) {
  for (std::int64_t i = 0; i < n; ++i) {
    double sum = 0;
    for (std::int64_t j = std::max<std::int64_t>(0, i - before); j < std::min(n, i + after + 1); ++j)
      sum += static_cast<double>(static_cast<compute_t<T>>(x[j * stride]));
    y[i * stride] = static_cast<T>(static_cast<compute_t<T>>(sum));
  }
}

// line(x, y, first element, extent) over every line of x.
template <class Line>
Tensor by_lines(const Tensor& x_any, int axis, std::string_view name, const Line& line) {
  const Tensor x = x_any.contiguous(Layout::row_major);
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  const kernels::Extent e = kernels::extent_of(x.shape(), axis);
  dispatch_compute(x.dtype(), name, [&](auto zero) {
    using T = decltype(zero);
    kernels::for_each_line(e, [&](std::int64_t first) { line(x.data<T>() + first, y.data<T>() + first, e); });
  });
  return y.contiguous(x_any.layout());
}

struct Cumsum {
  static constexpr std::string_view name = "cumsum";
  static constexpr Policy policy = Policy::statistic;
  int axis;
  CumsumOptions o;

  Shapes infer(const Shapes& in) const { return {in[0]}; }
  Tensor run(const Tensor& x, CumsumOptions options) const {
    return by_lines(x, axis, name, [&](const auto* from, auto* to, const kernels::Extent& e) {
      cumsum_line(from, to, e.size, e.inner, options);
    });
  }
  Tensors forward(Context&, const Tensors& in) const { return {run(in[0], o)}; }
  // x_j is part of the sums from j on.
  Tensors backward(Context&, const Tensors& grads) const { return {run(grads[0], {o.exclusive, !o.reverse})}; }
  Lowering lower() const {
    return kernels::lines_computation(axis, [o = o](kernels::Extent e) {
      return [o, e](auto* x, auto* y, float*) {
        kernels::for_each_line(e, [&](std::int64_t first) { cumsum_line(x[0] + first, y[0] + first, e.size, e.inner, o); });
      };
    });
  }
};

struct MovingSum {
  static constexpr std::string_view name = "moving_sum";
  static constexpr Policy policy = Policy::statistic;
  int axis;
  std::int64_t before, after;

  Shapes infer(const Shapes& in) const {
    check(before >= 0 && after >= 0, "moving_sum: expected a window of at least the element itself, got ", before, " before and ",
          after, " after it");
    return {in[0]};
  }
  Tensors forward(Context&, const Tensors& in) const {
    return {by_lines(in[0], axis, name, [&](const auto* x, auto* y, const kernels::Extent& e) {
      moving_line(x, y, e.size, e.inner, before, after);
    })};
  }
  Tensors backward(Context&, const Tensors& grads) const {
    return {by_lines(grads[0], axis, name, [&](const auto* g, auto* dx, const kernels::Extent& e) {
      moving_line(g, dx, e.size, e.inner, after, before);
    })};
  }
  Lowering lower() const {
    return kernels::lines_computation(axis, [b = before, a = after](kernels::Extent e) {
      return [b, a, e](auto* x, auto* y, float*) {
        kernels::for_each_line(e, [&](std::int64_t first) { moving_line(x[0] + first, y[0] + first, e.size, e.inner, b, a); });
      };
    });
  }
};

}  // namespace

Var cumsum(const Var& x, int axis, CumsumOptions options) { return apply(Cumsum{x.shape().axis(axis, "cumsum"), options}, {x}); }

Var moving_sum(const Var& x, int axis, std::int64_t before, std::int64_t after) {
  return apply(MovingSum{x.shape().axis(axis, "moving_sum"), before, after}, {x});
}

}  // namespace fovea
