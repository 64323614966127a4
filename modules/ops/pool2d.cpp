#include "modules/ops/pool2d.hpp"

#include <algorithm>
#include <limits>

#include "modules/autograd/apply.hpp"
#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

struct Range1 {
  std::int64_t begin, end;
};

struct PoolWindow {
  std::int64_t kernel, stride, pad;
  bool ceil;
  explicit PoolWindow(const PoolOptions& o)
      : kernel(o.kernel), stride(o.stride > 0 ? o.stride : o.kernel), pad(o.pad), ceil(o.ceil) {}

  std::int64_t outputs(std::int64_t size) const {
    const std::int64_t room = size + 2 * pad - kernel, whole = room / stride + 1;
    return ceil && room % stride != 0 && whole * stride < size + pad ? whole + 1 : whole;
  }
  // Inputs under output `o`.
  Range1 inputs(std::int64_t o, std::int64_t size) const {
    return {std::max<std::int64_t>(0, o * stride - pad), std::min(size, o * stride - pad + kernel)};
  }
  // Outputs whose window covers input `i`.
  Range1 outputs_over(std::int64_t i, std::int64_t out_size) const {
    const std::int64_t first = i + pad - kernel + 1;
    return {first <= 0 ? 0 : (first + stride - 1) / stride, std::min(out_size, (i + pad) / stride + 1)};
  }
  // PyTorch's rule: with padding counted, the window ends at the padded edge.
  double divisor(std::int64_t oh, std::int64_t ow, std::int64_t h, std::int64_t w, bool padded) const {
    auto length = [&](std::int64_t o, std::int64_t size) {
      if (!padded) return inputs(o, size).end - inputs(o, size).begin;
      return std::min(o * stride - pad + kernel, size + pad) - (o * stride - pad);
    };
    return static_cast<double>(length(oh, h) * length(ow, w));
  }

  Lowering lower(bool maximum, bool count_pad) const { return role::Pool2d{maximum, kernel, stride, pad, count_pad}; }
  Placement placement() const {
    const double step = static_cast<double>(stride), offset = static_cast<double>(kernel - 1) / 2 - static_cast<double>(pad);
    return {{step, step}, {offset, offset}};
  }

  Shapes infer(std::string_view what, const Shape& x) const {
    check(x.rank() == 4, what, ": expected (N, C, H, W), got ", x);
    check(kernel > 0 && pad >= 0 && 2 * pad <= kernel, what, ": expected a padding of at most half the kernel ", kernel, ", got ",
          pad);
    check(x[2] + 2 * pad >= kernel && x[3] + 2 * pad >= kernel, what, ": expected a map of at least the kernel ", kernel,
          ", got ", x);
    return {Shape{x[0], x[1], outputs(x[2]), outputs(x[3])}};
  }
};

template <class T>
FOVEA_SIMD void add_scaled(compute_t<T>* acc, const T* x, compute_t<T> scale, std::int64_t n) {
  for (std::int64_t c = 0; c < n; ++c) acc[c] += static_cast<compute_t<T>>(x[c]) * scale;
}

template <class T>
FOVEA_SIMD void keep_maximum(compute_t<T>* best, std::int32_t* where, const T* x, std::int32_t place, std::int64_t n) {
  for (std::int64_t c = 0; c < n; ++c) {
    const compute_t<T> v = static_cast<compute_t<T>>(x[c]);
    const bool wins = (v > best[c]) | ((v != v) & (best[c] == best[c]));
    best[c] = wins ? v : best[c];
    where[c] = wins ? place : where[c];
  }
}

template <class T>
FOVEA_SIMD void add_where(compute_t<T>* acc, const T* dy, const std::int32_t* where, std::int32_t place, std::int64_t n) {
  for (std::int64_t c = 0; c < n; ++c) acc[c] += where[c] == place ? static_cast<compute_t<T>>(dy[c]) : compute_t<T>(0);
}

template <class T>
FOVEA_SIMD void store(T* out, const compute_t<T>* acc, std::int64_t n) {
  for (std::int64_t c = 0; c < n; ++c) out[c] = static_cast<T>(acc[c]);
}

// Calls reduce(n, row, column, accumulator) for every position of a map of this shape, rows over threads; the accumulator, filled with
// `start`, is then stored.
template <class T, class Reduce>
void for_each_position(Tensor& map, compute_t<T> start, const Reduce& reduce) {
  const std::int64_t channels = map.dim(1), height = map.dim(2), width = map.dim(3);
  parallel_for(map.dim(0) * height, std::max<std::int64_t>(1, 4096 / std::max<std::int64_t>(1, width * channels)),
               [&](std::int64_t begin, std::int64_t end) {
                 std::vector<compute_t<T>> acc(static_cast<std::size_t>(channels));
                 for (std::int64_t r = begin; r < end; ++r)
                   for (std::int64_t w = 0; w < width; ++w) {
                     std::fill(acc.begin(), acc.end(), start);
                     reduce(r / height, r % height, w, acc.data());
                     store(map.data<T>() + (r * width + w) * channels, acc.data(), channels);
                   }
               });
}

struct AvgPool2d {
  static constexpr std::string_view name = "avg_pool2d";
  static constexpr Policy policy = Policy::statistic;
  PoolOptions options;
  Shape input;

  Shapes infer(const Shapes& in) const { return PoolWindow(options).infer(name, in[0]); }
  Placement placement(const Shapes&, const Shapes&) const { return PoolWindow(options).placement(); }
  Lowering lower() const { return PoolWindow(options).lower(false, options.count_include_pad); }

  Tensors forward(Context&, const Tensors& in) const {
    const PoolWindow window(options);
    const Tensor x = in[0].contiguous(Layout::channels_last);
    const std::int64_t channels = x.dim(1), height = x.dim(2), width = x.dim(3);
    Tensor y = Tensor::empty(window.infer(name, x.shape())[0], x.dtype(), Layout::channels_last);
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      for_each_position<T>(y, 0, [&](std::int64_t n, std::int64_t oh, std::int64_t ow, compute_t<T>* acc) {
        const auto rows = window.inputs(oh, height), columns = window.inputs(ow, width);
        const auto scale = static_cast<compute_t<T>>(1 / window.divisor(oh, ow, height, width, options.count_include_pad));
        for (std::int64_t h = rows.begin; h < rows.end; ++h)
          for (std::int64_t w = columns.begin; w < columns.end; ++w)
            add_scaled(acc, x.data<T>() + ((n * height + h) * width + w) * channels, scale, channels);
      });
    });
    return {y};
  }

  Tensors backward(Context&, const Tensors& grads) const {
    const PoolWindow window(options);
    const Tensor dy = grads[0].contiguous(Layout::channels_last);
    const std::int64_t channels = dy.dim(1), height = dy.dim(2), width = dy.dim(3);
    Tensor dx = Tensor::empty(input, dy.dtype(), Layout::channels_last);
    dispatch_compute(dy.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      for_each_position<T>(dx, 0, [&](std::int64_t n, std::int64_t h, std::int64_t w, compute_t<T>* acc) {
        const auto rows = window.outputs_over(h, height), columns = window.outputs_over(w, width);
        for (std::int64_t oh = rows.begin; oh < rows.end; ++oh)
          for (std::int64_t ow = columns.begin; ow < columns.end; ++ow)
            add_scaled(acc, dy.data<T>() + ((n * height + oh) * width + ow) * channels,
                       static_cast<compute_t<T>>(1 / window.divisor(oh, ow, input[2], input[3], options.count_include_pad)),
                       channels);
      });
    });
    return {dx};
  }
};

struct MaxPool2d {
  static constexpr std::string_view name = "max_pool2d";
  static constexpr Policy policy = Policy::statistic;
  PoolOptions options;
  Shape input;

  Shapes infer(const Shapes& in) const { return PoolWindow(options).infer(name, in[0]); }
  Placement placement(const Shapes&, const Shapes&) const { return PoolWindow(options).placement(); }
  Lowering lower() const { return PoolWindow(options).lower(true, false); }

  Tensors forward(Context& ctx, const Tensors& in) const {
    const PoolWindow window(options);
    const Tensor x = in[0].contiguous(Layout::channels_last);
    const std::int64_t channels = x.dim(1), height = x.dim(2), width = x.dim(3);
    Tensor y = Tensor::empty(window.infer(name, x.shape())[0], x.dtype(), Layout::channels_last);
    Tensor where = Tensor::empty(y.shape(), DType::s32, Layout::channels_last);
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      using C = compute_t<T>;
      for_each_position<T>(y, -std::numeric_limits<C>::infinity(),
                           [&](std::int64_t n, std::int64_t oh, std::int64_t ow, C* best) {
                             const auto rows = window.inputs(oh, height), columns = window.inputs(ow, width);
                             std::int32_t* at = where.data<std::int32_t>() + ((n * y.dim(2) + oh) * y.dim(3) + ow) * channels;
                             std::fill_n(at, channels, static_cast<std::int32_t>(rows.begin * width + columns.begin));
                             for (std::int64_t h = rows.begin; h < rows.end; ++h)
                               for (std::int64_t w = columns.begin; w < columns.end; ++w)
                                 keep_maximum(best, at, x.data<T>() + ((n * height + h) * width + w) * channels,
                                              static_cast<std::int32_t>(h * width + w), channels);
                           });
    });
    ctx.save({where});
    return {y};
  }

  Tensors backward(Context& ctx, const Tensors& grads) const {
    const PoolWindow window(options);
    const Tensor dy = grads[0].contiguous(Layout::channels_last);
    const std::int64_t channels = dy.dim(1), height = dy.dim(2), width = dy.dim(3);
    const auto* where = ctx.saved(0).data<std::int32_t>();
    Tensor dx = Tensor::empty(input, dy.dtype(), Layout::channels_last);
    dispatch_compute(dy.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      for_each_position<T>(dx, 0, [&](std::int64_t n, std::int64_t h, std::int64_t w, compute_t<T>* acc) {
        const auto rows = window.outputs_over(h, height), columns = window.outputs_over(w, width);
        for (std::int64_t oh = rows.begin; oh < rows.end; ++oh)
          for (std::int64_t ow = columns.begin; ow < columns.end; ++ow) {
            const std::int64_t at = ((n * height + oh) * width + ow) * channels;
            add_where(acc, dy.data<T>() + at, where + at, static_cast<std::int32_t>(h * input[3] + w), channels);
          }
      });
    });
    return {dx};
  }
};

}  // namespace

Var avg_pool2d(const Var& x, PoolOptions options) { return apply(AvgPool2d{options, x.shape()}, {x}); }
Var max_pool2d(const Var& x, PoolOptions options) { return apply(MaxPool2d{options, x.shape()}, {x}); }

}  // namespace fovea
