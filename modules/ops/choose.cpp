#include "modules/ops/choose.hpp"

#include <algorithm>

#include "modules/core/simd.hpp"
#include "modules/ops/kernels/axis_rows.hpp"

namespace fovea {
namespace {

Tensors no_gradients(Context& c, const Tensors& grads, std::size_t inputs, const Shapes& shapes) {
  Tensors out(inputs);
  for (std::size_t i = 0; i < inputs; ++i)
    if (c.needs(i)) out[i] = Tensor::zeros(shapes[i], grads[0].dtype(), grads[0].layout());
  return out;
}

void above_row(float* y, const float* x, std::int64_t n, float threshold, float) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] >= threshold ? 1.0f : 0.0f;
}

struct AtLeast {
  static constexpr std::string_view name = "at_least";
  static constexpr Policy policy = Policy::statistic;
  double threshold;
  Shape x;

  Shapes infer(const Shapes& in) const { return {in[0]}; }
  Lowering lower() const { return role::Pointwise{above_row, static_cast<float>(threshold), 0, std::nullopt}; }
  Tensors forward(Context&, const Tensors& in) const {
    const Tensor dense = in[0].contiguous();
    Tensor y = Tensor::empty(dense.shape(), dense.dtype(), dense.layout());
    dispatch_compute(y.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      const auto least = static_cast<compute_t<T>>(threshold);
      for (std::int64_t i = 0; i < y.size(); ++i)
        y.data<T>()[i] = static_cast<T>(static_cast<compute_t<T>>(dense.data<T>()[i]) >= least ? 1.0f : 0.0f);
    });
    return {y};
  }
  Tensors backward(Context& c, const Tensors& grads) const { return no_gradients(c, grads, 1, {x}); }
};

// pick(row, length, its number) is the chosen place of each row.
template <class Pick>
Tensor one_hot(const Tensor& x_any, std::string_view name, const Pick& pick) {
  const Tensor x = x_any.contiguous(Layout::row_major);
  Tensor y = Tensor::zeros(x.shape(), x.dtype());
  kernels::for_each_axis_row(x, name, 4096, [&](auto zero, std::int64_t at, std::int64_t n) {
    using T = decltype(zero);
    y.data<T>()[at + pick(x.data<T>() + at, n, at / n)] = static_cast<T>(1.0f);
  });
  return y.contiguous(x_any.layout());
}

struct OneHotMax {
  static constexpr std::string_view name = "one_hot_max";
  static constexpr Policy policy = Policy::statistic;
  Shape x;

  Shapes infer(const Shapes& in) const {
    check(in[0].rank() > 0 && in[0][in[0].rank() - 1] > 0, "one_hot_max: expected something to choose from, got ", in[0]);
    return {in[0]};
  }
  Tensors forward(Context&, const Tensors& in) const {
    return {one_hot(in[0], name, [](const auto* row, std::int64_t n, std::int64_t) {
      using C = compute_t<std::decay_t<decltype(*row)>>;
      std::int64_t best = 0;
      for (std::int64_t i = 1; i < n; ++i) {
        const C value = static_cast<C>(row[i]), top = static_cast<C>(row[best]);
        if (value > top || (top != top && value == value)) best = i;
      }
      return best;
    })};
  }
  Tensors backward(Context& c, const Tensors& grads) const { return no_gradients(c, grads, 1, {x}); }
};

struct OneHotSample {
  static constexpr std::string_view name = "one_hot_sample";
  static constexpr Policy policy = Policy::statistic;
  Shape p, u;

  Shapes infer(const Shapes& in) const {
    check(in[0].rank() > 0 && in[0][in[0].rank() - 1] > 0, "one_hot_sample: expected something to choose from, got ", in[0]);
    check(in[1] == in[0].without(in[0].rank() - 1), "one_hot_sample: expected a number for each row, ",
          in[0].without(in[0].rank() - 1), ", got ", in[1]);
    return {in[0]};
  }
  Tensors forward(Context&, const Tensors& in) const {
    const std::vector<double> numbers = in[1].values();
    return {one_hot(in[0], name, [&](const auto* row, std::int64_t n, std::int64_t number) {
      using C = compute_t<std::decay_t<decltype(*row)>>;
      const double limit = numbers[static_cast<std::size_t>(number)];
      double sum = 0;
      std::int64_t at = 0;
      while (at < n && (sum += static_cast<double>(static_cast<C>(row[at]))) < limit) ++at;
      return std::min(at, n - 1);
    })};
  }
  Tensors backward(Context& c, const Tensors& grads) const { return no_gradients(c, grads, 2, {p, u}); }
};

}  // namespace

Var at_least(const Var& x, double threshold) { return apply(AtLeast{threshold, x.shape()}, {x}); }
Var one_hot_max(const Var& x) { return apply(OneHotMax{x.shape()}, {x}); }
Var one_hot_sample(const Var& p, const Var& u) { return apply(OneHotSample{p.shape(), u.shape()}, {p, u}); }

}  // namespace fovea
