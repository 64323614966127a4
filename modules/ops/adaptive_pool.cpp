#include "modules/ops/adaptive_pool.hpp"

#include "modules/autograd/apply.hpp"
#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

// Rows (or columns) under cell i.
struct Cell {
  std::int64_t begin, end;
  Cell(std::int64_t i, std::int64_t cells, std::int64_t size)
      : begin(i * size / cells), end(((i + 1) * size + cells - 1) / cells) {}
  std::int64_t length() const { return end - begin; }
};

template <class T>
FOVEA_SIMD void add_scaled(compute_t<T>* acc, const T* x, compute_t<T> factor, std::int64_t n) {
  for (std::int64_t c = 0; c < n; ++c) acc[c] += static_cast<compute_t<T>>(x[c]) * factor;
}

template <class T>
FOVEA_SIMD void store(T* out, const compute_t<T>* acc, std::int64_t n) {
  for (std::int64_t c = 0; c < n; ++c) out[c] = static_cast<T>(acc[c]);
}

// use(h, w, i, j, factor) for each pair of a pixel and a cell that covers it.
template <class Use>
void for_each_pair(std::int64_t height, std::int64_t width, std::int64_t rows, std::int64_t columns, const Use& use) {
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) {
      const Cell row(i, rows, height), column(j, columns, width);
      const double factor = 1.0 / static_cast<double>(row.length() * column.length());
      for (std::int64_t h = row.begin; h < row.end; ++h)
        for (std::int64_t w = column.begin; w < column.end; ++w) use(h, w, i, j, factor);
    }
}

// Moves values from the positions of `from` to those of `to` by the pairs; `forward` says which of them is the map.
template <class T>
void spread(const Tensor& from, Tensor& to, const Tensor& map, const Tensor& grid, bool forward) {
  const std::int64_t c = map.dim(1), mh = map.dim(2), mw = map.dim(3), gh = grid.dim(2), gw = grid.dim(3);
  const std::int64_t from_places = from.dim(2) * from.dim(3), to_places = to.dim(2) * to.dim(3);
  parallel_for(map.dim(0), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<compute_t<T>> sums(static_cast<std::size_t>(to_places * c));
    for (std::int64_t n = begin; n < end; ++n) {
      std::fill(sums.begin(), sums.end(), compute_t<T>(0));
      const T* source = from.data<T>() + n * from_places * c;
      for_each_pair(mh, mw, gh, gw, [&](std::int64_t h, std::int64_t w, std::int64_t i, std::int64_t j, double factor) {
        const std::int64_t pixel = h * mw + w, cell = i * gw + j;
        add_scaled<T>(sums.data() + (forward ? cell : pixel) * c, source + (forward ? pixel : cell) * c,
                      static_cast<compute_t<T>>(factor), c);
      });
      store<T>(to.data<T>() + n * to_places * c, sums.data(), to_places * c);
    }
  });
}

struct AdaptiveAvgPool2d {
  static constexpr std::string_view name = "adaptive_avg_pool2d";
  static constexpr Policy policy = Policy::statistic;
  std::int64_t height, width;
  Shape input;

  Shapes infer(const Shapes& in) const {
    check(in[0].rank() == 4 && in[0][2] > 0 && in[0][3] > 0,
          "adaptive_avg_pool2d: expected (N, C, H, W) with at least one position, got ", in[0]);
    check(height > 0 && width > 0, "adaptive_avg_pool2d: expected a grid of at least one cell, got ", height, "x", width);
    return {Shape{in[0][0], in[0][1], height, width}};
  }
  Tensors forward(Context&, const Tensors& in) const {
    const Tensor x = in[0].contiguous(Layout::channels_last);
    Tensor y = Tensor::empty(infer({x.shape()})[0], x.dtype(), Layout::channels_last);
    dispatch_compute(x.dtype(), name, [&](auto zero) { spread<decltype(zero)>(x, y, x, y, true); });
    return {y};
  }
  Tensors backward(Context&, const Tensors& grads) const {
    const Tensor dy = grads[0].contiguous(Layout::channels_last);
    Tensor dx = Tensor::empty(input, dy.dtype(), Layout::channels_last);
    dispatch_compute(dy.dtype(), name, [&](auto zero) { spread<decltype(zero)>(dy, dx, dx, dy, false); });
    return {dx};
  }
};

}  // namespace

Var adaptive_avg_pool2d(const Var& x, std::int64_t height, std::int64_t width) {
  return apply(AdaptiveAvgPool2d{height, width, x.shape()}, {x});
}

}  // namespace fovea
