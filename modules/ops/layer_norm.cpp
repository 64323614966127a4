#include "modules/ops/layer_norm.hpp"

#include "modules/autograd/apply.hpp"
#include "modules/ops/kernels/channel_rows.hpp"
#include "modules/ops/kernels/extent.hpp"

namespace fovea {
namespace {

using kernels::ChannelRows;

// Sums run over pieces that f32 holds well, joined in f64.
constexpr std::int64_t kPiece = 4096;

template <class T, class C = compute_t<T>>
FOVEA_SIMD void row_moments(const T* x, std::int64_t n, double eps, C& mean, C& rstd) {
  double total = 0, squares = 0;
  for (std::int64_t first = 0; first < n; first += kPiece) {
    const std::int64_t last = n < first + kPiece ? n : first + kPiece;
    C sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = first; i < last; ++i) sum += static_cast<C>(x[i]);
    total += static_cast<double>(sum);
  }
  const C centre = static_cast<C>(total / static_cast<double>(n));
  for (std::int64_t first = 0; first < n; first += kPiece) {
    const std::int64_t last = n < first + kPiece ? n : first + kPiece;
    C sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = first; i < last; ++i) sum += (static_cast<C>(x[i]) - centre) * (static_cast<C>(x[i]) - centre);
    squares += static_cast<double>(sum);
  }
  mean = centre;
  rstd = static_cast<C>(1 / __builtin_sqrt(squares / static_cast<double>(n) + eps));
}

template <class T, class C = compute_t<T>>
FOVEA_SIMD void row_forward(T* y, const T* x, const C* weight, const C* bias, C mean, C rstd, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<T>((static_cast<C>(x[i]) - mean) * rstd * weight[i] + bias[i]);
}

// With g = dy * weight: dx = rstd * (g - mean(g) - xhat * mean(g * xhat)).
template <class T, class C = compute_t<T>>
FOVEA_SIMD void row_backward(T* dx, const T* dy, const T* x, const C* weight, C mean, C rstd, std::int64_t n) {
  double plain = 0, moved = 0;
  for (std::int64_t first = 0; first < n; first += kPiece) {
    const std::int64_t last = n < first + kPiece ? n : first + kPiece;
    C p = 0, m = 0;
#pragma omp simd reduction(+ : p, m)
    for (std::int64_t i = first; i < last; ++i) {
      const C g = static_cast<C>(dy[i]) * weight[i];
      p += g;
      m += g * (static_cast<C>(x[i]) - mean);
    }
    plain += static_cast<double>(p), moved += static_cast<double>(m);
  }
  const C a = static_cast<C>(plain / static_cast<double>(n)), b = static_cast<C>(moved / static_cast<double>(n)) * rstd * rstd;
  for (std::int64_t i = 0; i < n; ++i)
    dx[i] = static_cast<T>(rstd * (static_cast<C>(dy[i]) * weight[i] - a - (static_cast<C>(x[i]) - mean) * b));
}

template <class T, class C = compute_t<T>>
FOVEA_SIMD void add_parameter_gradients(C* dbias, C* dweight, const T* dy, const T* x, const C* mean, const C* rstd,
                                        std::int64_t rows, std::int64_t n) {
  for (std::int64_t r = 0; r < rows; ++r, dy += n, x += n)
    for (std::int64_t i = 0; i < n; ++i) {
      const C g = static_cast<C>(dy[i]);
      dbias[i] += g;
      dweight[i] += g * (static_cast<C>(x[i]) - mean[r]) * rstd[r];
    }
}

// Rows of `length` values, one after another.
struct LayerNorm {
  static constexpr std::string_view name = "layer_norm";
  static constexpr Policy policy = Policy::statistic;
  int axes;
  double eps;
  bool over_channels;  // of a map, which channels-last makes the innermost axis

  Shape normalised(const Shape& x) const {
    if (over_channels) return Shape{x[1]};
    Shape s;
    for (int i = x.rank() - axes; i < x.rank(); ++i) s.push_back(x[i]);
    return s;
  }

  Shapes infer(const Shapes& in) const {
    if (over_channels) check(in[0].rank() == 4, "layer_norm_channels: expected (N, C, H, W), got ", in[0]);
    else check(axes > 0 && axes <= in[0].rank(), "layer_norm: expected at least ", axes, " axes, got ", in[0]);
    const Shape row = normalised(in[0]);
    check(row.elements() > 0, "layer_norm: expected at least one value per row, got ", in[0]);
    for (std::size_t i : {1, 2})
      check(in[i].rank() == 0 || in[i] == row, "layer_norm: expected parameters of shape ", row, ", got ", in[i]);
    return {in[0]};
  }

  Tensor to_rows(const Tensor& x) const { return over_channels ? kernels::channels_to_back(x) : x.contiguous(Layout::row_major); }
  Tensor from_rows(const Tensor& y) const { return over_channels ? kernels::channels_to_front(y) : y; }

  static ChannelRows rows_of(const Tensor& x, std::int64_t length) { return {1, x.size() / length, length}; }

  Tensors forward(Context& ctx, const Tensors& in) const {
    const Tensor x = to_rows(in[0]);
    Tensor y = Tensor::empty(x.shape(), x.dtype());
    const std::int64_t n = normalised(in[0].shape()).elements(), rows = x.size() / n;
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      using C = compute_t<T>;
      const auto weight = kernels::values_or<C>(in[1], n, 1), bias = kernels::values_or<C>(in[2], n, 0);
      Tensor mean = Tensor::empty({rows}, dtype_of<C>::value), rstd = Tensor::empty({rows}, dtype_of<C>::value);
      parallel_for(rows, std::max<std::int64_t>(1, 16384 / n), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) {
          C &m = mean.data<C>()[r], &s = rstd.data<C>()[r];
          row_moments(x.data<T>() + r * n, n, eps, m, s);
          row_forward(y.data<T>() + r * n, x.data<T>() + r * n, weight.data(), bias.data(), m, s, n);
        }
      });
      ctx.save({x, mean, rstd, in[1], in[2]});
    });
    return {from_rows(y)};
  }

  Lowering lower() const {
    using Computation = role::Computation;
    return Computation{[*this](const auto& in, const auto& out) -> std::optional<Computation::Bound> {
      const Shape& x = in[0].shape;
      const std::int64_t n = normalised(x).elements(), rows = x.elements() / n;
      std::vector<bool> last(static_cast<std::size_t>(x.rank()));
      for (int i = 0; i < x.rank(); ++i) last[static_cast<std::size_t>(i)] = over_channels ? i == 1 : i >= x.rank() - axes;
      const auto e = kernels::extent_of(in[0], last);
      const bool in_order = over_channels || x.rank() != 4 || axes == 1 || in[0].strides[3] == 1;
      if (!e || e->inner != 1 || !in_order || !kernels::alike(in[0], out[0])) return std::nullopt;
      std::vector<float> weight(static_cast<std::size_t>(n), 1), bias(weight.size(), 0);
      return Computation::Bound{
          [n, rows, eps = eps, weight = std::move(weight), bias = std::move(bias)](auto* x, auto* y, float*) {
            normalise(y[0], x[0], x[1] ? x[1] : weight.data(), x[2] ? x[2] : bias.data(), eps, rows, n);
          }};
    }};
  }

  static void normalise(float* y, const float* x, const float* weight, const float* bias, double eps, std::int64_t rows,
                        std::int64_t n) {
    parallel_for(rows, std::max<std::int64_t>(1, 16384 / n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        float mean, rstd;
        row_moments(x + r * n, n, eps, mean, rstd);
        row_forward(y + r * n, x + r * n, weight, bias, mean, rstd, n);
      }
    });
  }

  Tensors backward(Context& ctx, const Tensors& grads) const {
    const Tensor &x = ctx.saved(0), dy = to_rows(grads[0]).to(x.dtype());
    const std::int64_t n = normalised(grads[0].shape()).elements();
    Tensors out(3);
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      using C = compute_t<T>;
      const C *mean = ctx.saved(1).data<C>(), *rstd = ctx.saved(2).data<C>();
      if (ctx.needs(0)) out[0] = input_gradient<T>(ctx, dy, n);
      if (!ctx.needs(1) && !ctx.needs(2)) return;
      const auto sums = kernels::sum_rows<2, C>(rows_of(x, n), [&](C* acc, std::int64_t first, std::int64_t rows, std::int64_t) {
        add_parameter_gradients(acc, acc + n, dy.data<T>() + first * n, x.data<T>() + first * n, mean + first, rstd + first, rows,
                                n);
      });
      const Shape row = normalised(grads[0].shape());
      const Tensor both = Tensor::from(sums, {2, n});
      if (ctx.needs(1)) out[1] = both.slice(0, 1, 2).reshape(row).to(ctx.saved(3).dtype());
      if (ctx.needs(2)) out[2] = both.slice(0, 0, 1).reshape(row).to(ctx.saved(4).dtype());
    });
    return out;
  }

  template <class T, class C = compute_t<T>>
  Tensor input_gradient(const Context& ctx, const Tensor& dy, std::int64_t n) const {
    const Tensor& x = ctx.saved(0);
    const C *mean = ctx.saved(1).data<C>(), *rstd = ctx.saved(2).data<C>();
    const auto weight = kernels::values_or<C>(ctx.saved(3), n, 1);
    Tensor dx = Tensor::empty(x.shape(), x.dtype());
    parallel_for(x.size() / n, std::max<std::int64_t>(1, 16384 / n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r)
        row_backward(dx.data<T>() + r * n, dy.data<T>() + r * n, x.data<T>() + r * n, weight.data(), mean[r], rstd[r], n);
    });
    return from_rows(dx);
  }
};

}  // namespace

Var layer_norm(const Var& x, const Var& weight, const Var& bias, int axes, double eps) {
  return apply(LayerNorm{axes, eps, false}, {x, weight, bias});
}

Var layer_norm_channels(const Var& x, const Var& weight, const Var& bias, double eps) {
  return apply(LayerNorm{1, eps, true}, {x, weight, bias});
}

}  // namespace fovea
