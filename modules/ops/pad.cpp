#include "modules/ops/pad.hpp"

#include <algorithm>

#include "modules/autograd/apply.hpp"
#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"
#include "modules/ops/kernels/extent.hpp"

namespace fovea {
namespace {

// The input position that output position i of a padded axis shows; -1 for the constant.
std::int64_t source(PadMode mode, std::int64_t i, std::int64_t size) {
  if (i >= 0 && i < size) return i;
  switch (mode) {
    case PadMode::constant: return -1;
    case PadMode::reflect: return i < 0 ? -i : 2 * (size - 1) - i;
    case PadMode::replicate: return std::clamp<std::int64_t>(i, 0, size - 1);
    case PadMode::circular: return (i + size) % size;
  }
  fail("pad2d: unknown mode");
}

std::vector<std::int64_t> sources(PadMode mode, std::int64_t before, std::int64_t size, std::int64_t after) {
  std::vector<std::int64_t> from;
  for (std::int64_t i = -before; i < size + after; ++i) from.push_back(source(mode, i, size));
  return from;
}

// For each input position the outputs that show it.
std::vector<std::vector<std::int64_t>> shown_at(const std::vector<std::int64_t>& from, std::int64_t size) {
  std::vector<std::vector<std::int64_t>> out(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < from.size(); ++i)
    if (from[i] >= 0) out[static_cast<std::size_t>(from[i])].push_back(static_cast<std::int64_t>(i));
  return out;
}

template <class T>
FOVEA_SIMD void add_values(compute_t<T>* sum, const T* x, std::int64_t n) {
  for (std::int64_t c = 0; c < n; ++c) sum[c] += static_cast<compute_t<T>>(x[c]);
}

struct Pad2d {
  static constexpr std::string_view name = "pad2d";
  static constexpr Policy policy = Policy::statistic;  // follows its input
  Padding p;
  PadMode mode;
  double value;
  Shape input;

  Placement placement(const Shapes&, const Shapes&) const {
    return {{1, 1}, {static_cast<double>(-p.top), static_cast<double>(-p.left)}};
  }
  void check_axis(std::string_view axis, std::int64_t size, std::int64_t before, std::int64_t after) const {
    check(before >= 0 && after >= 0, "pad2d: expected paddings of at least 0, got ", before, " and ", after, " for ", axis);
    const std::int64_t limit = mode == PadMode::reflect ? size - 1 : mode == PadMode::circular ? size : -1;
    check(limit < 0 || std::max(before, after) <= limit, "pad2d: expected at most ", limit, " of padding for ", axis, " of ",
          size, ", got ", std::max(before, after));
    check(size > 0 || mode == PadMode::constant, "pad2d: expected a map with ", axis, ", got none");
  }
  Shapes infer(const Shapes& in) const {
    check(in[0].rank() == 4, "pad2d: expected (N, C, H, W), got ", in[0]);
    check_axis("rows", in[0][2], p.top, p.bottom);
    check_axis("columns", in[0][3], p.left, p.right);
    return {Shape{in[0][0], in[0][1], in[0][2] + p.top + p.bottom, in[0][3] + p.left + p.right}};
  }

  Tensors forward(Context&, const Tensors& in) const {
    const Tensor x = in[0].contiguous(Layout::channels_last);
    Tensor y = Tensor::empty(infer({x.shape()})[0], x.dtype(), Layout::channels_last);
    const auto rows = sources(mode, p.top, input[2], p.bottom), columns = sources(mode, p.left, input[3], p.right);
    dispatch_compute(x.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      fill(rows, columns, x.data<T>(), y.data<T>());
    });
    return {y};
  }

  Lowering lower() const {
    using Computation = role::Computation;
    return Computation{[*this](const auto& in, const auto&) -> std::optional<Computation::Bound> {
      if (input[1] > 1 && in[0].strides[1] != 1) return std::nullopt;
      return Computation::Bound{
          [op = *this, rows = sources(mode, p.top, input[2], p.bottom), columns = sources(mode, p.left, input[3], p.right)](
              auto* x, auto* y, float*) { op.fill(rows, columns, x[0], y[0]); }};
    }};
  }

  template <class T>
  void fill(const std::vector<std::int64_t>& rows, const std::vector<std::int64_t>& columns, const T* x, T* y) const {
    const std::int64_t channels = input[1], height = static_cast<std::int64_t>(rows.size()),
                       width = static_cast<std::int64_t>(columns.size());
    parallel_for(input[0] * height, std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, width * channels)),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t r = begin; r < end; ++r)
                     for (std::int64_t w = 0; w < width; ++w) {
                       T* out = y + (r * width + w) * channels;
                       const std::int64_t h = rows[static_cast<std::size_t>(r % height)],
                                          from = columns[static_cast<std::size_t>(w)];
                       if (h < 0 || from < 0) std::fill_n(out, channels, static_cast<T>(static_cast<compute_t<T>>(value)));
                       else std::copy_n(x + ((r / height * input[2] + h) * input[3] + from) * channels, channels, out);
                     }
                 });
  }

  Tensors backward(Context&, const Tensors& grads) const {
    const Tensor dy = grads[0].contiguous(Layout::channels_last);
    Tensor dx = Tensor::empty(input, dy.dtype(), Layout::channels_last);
    const auto rows = shown_at(sources(mode, p.top, input[2], p.bottom), input[2]);
    const auto columns = shown_at(sources(mode, p.left, input[3], p.right), input[3]);
    const std::int64_t channels = input[1], height = input[2], width = input[3];
    dispatch_compute(dy.dtype(), name, [&](auto zero) {
      using T = decltype(zero);
      parallel_for(input[0] * height, std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, width * channels)),
                   [&](std::int64_t begin, std::int64_t end) {
                     std::vector<compute_t<T>> sum(static_cast<std::size_t>(channels));
                     for (std::int64_t r = begin; r < end; ++r)
                       for (std::int64_t w = 0; w < width; ++w) {
                         std::fill(sum.begin(), sum.end(), compute_t<T>(0));
                         for (const auto oh : rows[static_cast<std::size_t>(r % height)])
                           for (const auto ow : columns[static_cast<std::size_t>(w)])
                             add_values(sum.data(), dy.data<T>() + ((r / height * dy.dim(2) + oh) * dy.dim(3) + ow) * channels,
                                        channels);
                         std::copy(sum.begin(), sum.end(), dx.data<T>() + (r * width + w) * channels);
                       }
                   });
    });
    return {dx};
  }
};

struct Pad {
  static constexpr std::string_view name = "pad";
  static constexpr Policy policy = Policy::statistic;  // follows its input
  Shape before, after;
  double value;

  Placement placement(const Shapes& in, const Shapes&) const {
    if (in[0].rank() != 4) return {};
    return {{1, 1}, {static_cast<double>(-before[2]), static_cast<double>(-before[3])}};
  }

  Shapes infer(const Shapes& in) const {
    Shape out = in[0];
    check(before.rank() == out.rank() && after.rank() == out.rank(), "pad: expected paddings for ", out.rank(), " axes, got ",
          before.rank(), " and ", after.rank());
    for (int i = 0; i < out.rank(); ++i) {
      check(before[i] >= 0 && after[i] >= 0, "pad: expected paddings of at least 0, got ", before[i], " and ", after[i],
            " for axis ", i);
      out[i] += before[i] + after[i];
    }
    return {out};
  }
  Lowering lower() const {
    using Computation = role::Computation;
    return Computation{[*this](const auto& in, const auto& out) -> std::optional<Computation::Bound> {
      Rows rows;
      const std::vector<int> order = kernels::axes_in_memory(out[0]);
      for (std::size_t i = 0; i < order.size(); ++i) {
        const int a = order[i];
        rows.first += before[a] * out[0].strides[a];
        if (i + 1 == order.size()) rows.length = in[0].shape[a];
        else rows.dims.push_back({in[0].shape[a], in[0].strides[a], out[0].strides[a]});
        if (i + 1 == order.size() && in[0].shape[a] > 1 && in[0].strides[a] != 1) return std::nullopt;
      }
      for (const auto& d : rows.dims) rows.count *= d[0];
      return Computation::Bound{
          [rows, size = out[0].shape.elements(), value = static_cast<float>(value)](auto* x, auto* y, float*) {
            std::fill_n(y[0], size, value);
            rows.copy(x[0], y[0]);
          }};
    }};
  }
  // The input as rows of the padded value.
  struct Rows {
    std::vector<std::array<std::int64_t, 3>> dims;  // size, step in the input, step in the result
    std::int64_t first = 0, length = 1, count = 1;
    void copy(const float* x, float* y) const {
      parallel_for(count, std::max<std::int64_t>(1, 16384 / length), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          std::int64_t rest = i, from = 0, to = first;
          for (std::size_t d = dims.size(); d-- > 0; rest /= dims[d][0])
            from += rest % dims[d][0] * dims[d][1], to += rest % dims[d][0] * dims[d][2];
          std::copy_n(x + from, length, y + to);
        }
      });
    }
  };
  // The part of the padded tensor that is the input.
  Tensor inside(Tensor t) const {
    for (int i = 0; i < before.rank(); ++i) t = t.slice(i, before[i], t.dim(i) - after[i]);
    return t;
  }
  Tensors forward(Context&, const Tensors& in) const {
    Tensor y = Tensor::full(infer({in[0].shape()})[0], value, in[0].dtype(), in[0].layout());
    inside(y).copy_from(in[0]);
    return {y};
  }
  Tensors backward(Context&, const Tensors& grads) const {
    const Tensor part = inside(grads[0]);
    return {grads[0].layout() == Layout::channels_last ? part.contiguous(Layout::channels_last) : part};
  }
};

}  // namespace

Var pad2d(const Var& x, Padding padding, PadMode mode, double value) {
  return apply(Pad2d{padding, mode, value, x.shape()}, {x});
}
Var pad(const Var& x, const Shape& before, const Shape& after, double value) { return apply(Pad{before, after, value}, {x}); }

}  // namespace fovea
