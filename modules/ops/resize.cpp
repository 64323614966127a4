#include "modules/ops/resize.hpp"

#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

// One output row or column reads `low` and `high` with weights 1 - t and t.
struct Source {
  std::int64_t low, high;
  double t;
};

std::vector<Source> sources(std::int64_t in, std::int64_t out, Resize mode) {
  std::vector<Source> s;
  const double step =
      mode == Resize::bilinear_align_corners ? (out > 1 ? double(in - 1) / double(out - 1) : 0.0) : double(in) / double(out);
  for (std::int64_t i = 0; i < out; ++i) {
    if (mode == Resize::nearest) {
      const std::int64_t at = std::min(i * in / out, in - 1);
      s.push_back({at, at, 0});
      continue;
    }
    const double at =
        mode == Resize::bilinear ? std::max(0.0, (static_cast<double>(i) + 0.5) * step - 0.5) : static_cast<double>(i) * step;
    const auto low = std::min(static_cast<std::int64_t>(at), in - 1);
    s.push_back({low, std::min(low + 1, in - 1), at - static_cast<double>(low)});
  }
  return s;
}

template <class T>
FOVEA_SIMD void blend(T* out, const T* a, const T* b, const T* c, const T* d, compute_t<T> wa, compute_t<T> wb, compute_t<T> wc,
                      compute_t<T> wd, std::int64_t n) {
  using C = compute_t<T>;
  for (std::int64_t i = 0; i < n; ++i)
    out[i] = wa * static_cast<C>(a[i]) + wb * static_cast<C>(b[i]) + wc * static_cast<C>(c[i]) + wd * static_cast<C>(d[i]);
}

template <class T>
FOVEA_SIMD void add_scaled(compute_t<T>* out, const T* g, compute_t<T> w, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) out[i] += w * static_cast<compute_t<T>>(g[i]);
}

struct ResizeOp {
  static constexpr std::string_view name = "resize";
  static constexpr Policy policy = Policy::pointwise;
  std::int64_t height, width;
  Resize mode;
  Shape x_shape;

  Shapes infer(const Shapes& in) const {
    check(in[0].rank() == 4 && in[0].elements() > 0 && height > 0 && width > 0,
          "resize: expected N x C x H x W and a positive size, got ", in[0], " to ", height, "x", width);
    return {{in[0][0], in[0][1], height, width}};
  }

  Placement placement(const Shapes& in, const Shapes&) const {
    Placement p;
    const std::int64_t from[] = {in[0][2], in[0][3]}, to[] = {height, width};
    for (std::size_t a = 0; a < 2; ++a) {
      const bool corners = mode == Resize::bilinear_align_corners && to[a] > 1;
      const auto ends = static_cast<std::int64_t>(corners);
      p.step[a] = static_cast<double>(from[a] - ends) / static_cast<double>(to[a] - ends);
      p.offset[a] = corners ? 0 : (p.step[a] - 1) / 2;
    }
    return p;
  }

  Tensors forward(Context&, const Tensors& in) const {
    const Tensor x = in[0].contiguous(Layout::channels_last);
    Tensor y = Tensor::empty({x.dim(0), x.dim(1), height, width}, x.dtype(), Layout::channels_last);
    dispatch_compute(x.dtype(), name, [&](auto zero) { run<decltype(zero)>(x, y); });
    return {y};
  }

  template <class T>
  void run(const Tensor& x, Tensor& y) const {
    run(x.shape(), sources(x.dim(2), height, mode), sources(x.dim(3), width, mode), x.data<T>(), y.data<T>());
  }

  template <class T>
  void run(const Shape& x, const std::vector<Source>& rows, const std::vector<Source>& columns, const T* from, T* to) const {
    using C = compute_t<T>;
    const std::int64_t c = x[1], h = x[2], w = x[3];
    parallel_for(x[0] * height, std::max<std::int64_t>(1, 16384 / (width * c)), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t job = begin; job < end; ++job) {
        const Source& r = rows[static_cast<std::size_t>(job % height)];
        const T* top = from + (job / height * h + r.low) * w * c;
        const T* bottom = from + (job / height * h + r.high) * w * c;
        T* out = to + job * width * c;
        // A row that repeats the one above is a copy of it, which is in cache.
        if (mode == Resize::nearest && job > begin && job % height > 0 &&
            rows[static_cast<std::size_t>(job % height - 1)].low == r.low) {
          std::copy_n(out - width * c, width * c, out);
          continue;
        }
        for (std::int64_t i = 0; i < width; ++i, out += c) {
          const Source& s = columns[static_cast<std::size_t>(i)];
          if (mode == Resize::nearest) {
            std::copy_n(top + s.low * c, c, out);
            continue;
          }
          const C tr = static_cast<C>(r.t), ts = static_cast<C>(s.t);
          blend(out, top + s.low * c, top + s.high * c, bottom + s.low * c, bottom + s.high * c, (1 - tr) * (1 - ts),
                (1 - tr) * ts, tr * (1 - ts), tr * ts, c);
        }
      }
    });
  }

  Lowering lower() const {
    using Computation = role::Computation;
    return Computation{[*this](const auto& in, const auto&) -> std::optional<Computation::Bound> {
      const Shape& x = in[0].shape;
      if (x[1] > 1 && in[0].strides[1] != 1) return std::nullopt;
      return Computation::Bound{[op = *this, x, rows = sources(x[2], height, mode), columns = sources(x[3], width, mode)](
                                    auto* from, auto* to, float*) { op.run(x, rows, columns, from[0], to[0]); }};
    }};
  }

  Tensors backward(Context&, const Tensors& grads) const {
    const Tensor g = grads[0].contiguous(Layout::channels_last);
    Tensor gx = Tensor::empty(x_shape, g.dtype(), Layout::channels_last);
    dispatch_compute(g.dtype(), name, [&](auto zero) { scatter<decltype(zero)>(g, gx); });
    return {gx};
  }

  // Each input row gathers from the output rows that read it, so rows are independent and the order is fixed.
  template <class T>
  void scatter(const Tensor& g, Tensor& gx) const {
    using C = compute_t<T>;
    const std::int64_t c = x_shape[1], h = x_shape[2], w = x_shape[3];
    const auto rows = sources(h, height, mode), columns = sources(w, width, mode);
    std::vector<std::vector<std::pair<std::int64_t, C>>> readers(static_cast<std::size_t>(h));
    for (std::int64_t i = 0; i < height; ++i) {
      const Source& r = rows[static_cast<std::size_t>(i)];
      readers[static_cast<std::size_t>(r.low)].emplace_back(i, static_cast<C>(1 - r.t));
      if (r.t > 0) readers[static_cast<std::size_t>(r.high)].emplace_back(i, static_cast<C>(r.t));
    }
    parallel_for(x_shape[0] * h, 1, [&](std::int64_t begin, std::int64_t end) {
      std::vector<C> sum(static_cast<std::size_t>(w * c));
      for (std::int64_t job = begin; job < end; ++job) {
        std::fill(sum.begin(), sum.end(), C(0));
        for (const auto& [row, weight] : readers[static_cast<std::size_t>(job % h)]) {
          const T* from = g.data<T>() + (job / h * height + row) * width * c;
          for (std::int64_t i = 0; i < width; ++i) {
            const Source& s = columns[static_cast<std::size_t>(i)];
            add_scaled(sum.data() + s.low * c, from + i * c, weight * static_cast<C>(1 - s.t), c);
            if (s.t > 0) add_scaled(sum.data() + s.high * c, from + i * c, weight * static_cast<C>(s.t), c);
          }
        }
        T* to = gx.data<T>() + job * w * c;
        for (std::int64_t i = 0; i < w * c; ++i) to[i] = static_cast<T>(sum[static_cast<std::size_t>(i)]);
      }
    });
  }
};

}  // namespace

Var resize(const Var& x, std::int64_t height, std::int64_t width, Resize mode) {
  return apply(ResizeOp{height, width, mode, x.shape()}, {x});
}

}  // namespace fovea
