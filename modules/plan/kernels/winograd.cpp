#include "modules/plan/kernels/winograd.hpp"

#include <algorithm>
#include <array>

#include "modules/core/threads.hpp"
#include "modules/ops/kernels/lanes.hpp"
#include "modules/ops/kernels/tile_product.hpp"

namespace fovea::plan {
namespace {

using L = kernels::Lanes16;
using V = L::Floats;
constexpr std::int64_t kLane = L::count, kPanel = 2 * kLane;
// Tiles whose sums stay in registers next to a row of weights: 14 x 32 outputs in 28 of AVX-512's 32 registers, else 6 x 16 in 12 of 16.
constexpr int kManyRows = 14, kFewRows = 6;
// Distance of the software prefetch, in rows of weights: they come from main memory once in a run, in pieces that are too short for the
// hardware prefetcher. 256 channels at 14x14 take 0.47 ms with it and 0.59 ms without.
constexpr std::int64_t kAhead = 128;
constexpr std::int64_t kBlock = 2 * kManyRows;

// The one-dimensional transforms for m = 2: points 0, 1, -1, infinity.
struct Two {
  static constexpr int side = 2, points = 4;
  static FOVEA_INLINE void input(V* to, const V* x) {
    to[0] = x[2] - x[0];
    to[1] = x[2] + x[1];
    to[2] = x[2] - x[1];
    to[3] = x[3] - x[1];
  }
  static FOVEA_INLINE void output(V* to, const V* m) {
    to[0] = m[0] + m[1] + m[2];
    to[1] = m[1] - m[2] + m[3];
  }
  static void weights(double* to, const double* w) {
    to[0] = -w[0];
    to[1] = (w[0] + w[1] + w[2]) / 2;
    to[2] = (w[0] - w[1] + w[2]) / 2;
    to[3] = w[2];
  }
};

// For m = 4: points 0, a, -a, b, -b, infinity.
struct Four {
  static constexpr int side = 4, points = 6;
  static constexpr float a = 0.625f, b = 1.5f, aa = a * a, bb = b * b;
  static FOVEA_INLINE void input(V* to, const V* x) {
    const V even_a = x[4] - x[2] * bb, odd_a = (x[3] - x[1] * bb) * a;
    const V even_b = x[4] - x[2] * aa, odd_b = (x[3] - x[1] * aa) * b;
    to[0] = x[0] * (aa * bb) + (x[4] - x[2] * (aa + bb));
    to[1] = even_a + odd_a;
    to[2] = even_a - odd_a;
    to[3] = even_b + odd_b;
    to[4] = even_b - odd_b;
    to[5] = x[1] * (aa * bb) + (x[5] - x[3] * (aa + bb));
  }
  static FOVEA_INLINE void output(V* to, const V* m) {
    const V even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
    to[0] = m[0] + even_a + even_b;
    to[1] = odd_a * a + odd_b * b;
    to[2] = even_a * aa + even_b * bb;
    to[3] = odd_a * (a * aa) + odd_b * (b * bb) + m[5];
  }
  static void weights(double* to, const double* w) {
    constexpr double p = a, q = b, pp = p * p, qq = q * q;
    to[0] = w[0] / (pp * qq);
    to[1] = (w[0] + p * w[1] + pp * w[2]) / (2 * pp * (pp - qq));
    to[2] = (w[0] - p * w[1] + pp * w[2]) / (2 * pp * (pp - qq));
    to[3] = (w[0] + q * w[1] + qq * w[2]) / (2 * qq * (qq - pp));
    to[4] = (w[0] - q * w[1] + qq * w[2]) / (2 * qq * (qq - pp));
    to[5] = w[2];
  }
};

// The matrix product at one point: block x channels times channels x outputs. The weights are in panels of 32 outputs, the last of 16.
struct Matrices {
  std::int64_t block, channels, panel, step;  // step: elements of a row of the result
};

FOVEA_INLINE void load_some(V& v, const float* p, std::int64_t n) {
  if (n >= kLane) return L::load(v, p);
  float all[kLane] = {};
  std::copy_n(p, n, all);
  L::load(v, all);
}

FOVEA_INLINE void store_some(float* p, const V& v, std::int64_t n) {
  if (n >= kLane) return L::store(p, v);
  float all[kLane];
  L::store(all, v);
  std::copy_n(all, n, p);
}

// Transforms one input tile, given by the addresses of its positions (null: padding), to points x slices of 16 channels. The last of several
// slices ends with the last channel and repeats channels of the slice before it.
template <class Down, class Across>
FOVEA_SIMD void transform_input(const float* const* at, std::int64_t channels, float* to, std::int64_t point_step,
                                std::int64_t slice_step) {
  constexpr int R = Down::points, P = Across::points;
  for (std::int64_t next = 0; next < channels; next += kLane, to += slice_step) {
    const std::int64_t c = channels < kLane ? 0 : std::min(next, channels - kLane);
    V half[R * P], line[R], transformed[std::max(R, P)];
    for (int j = 0; j < P; ++j) {
      for (int i = 0; i < R; ++i) {
        const float* from = at[i * P + j];
        if (from) load_some(line[i], from + c, channels - c);
        else line[i] = V{};
      }
      Down::input(transformed, line);
      for (int i = 0; i < R; ++i) half[i * P + j] = transformed[i];
    }
    for (int i = 0; i < R; ++i) {
      Across::input(transformed, half + i * P);
      for (int j = 0; j < P; ++j) L::store(to + (i * P + j) * point_step, transformed[j]);
    }
  }
}

// Transforms the products of one tile to its positions of the output, with bias and residual; `to` has their addresses (null: outside).
template <class Down, class Across>
FOVEA_SIMD void transform_output(const float* from, std::int64_t point_step, std::int64_t outputs, const float* bias,
                                 const float* const* residual, float* const* to) {
  constexpr int R = Down::points, P = Across::points, H = Down::side, S = Across::side;
  const bool again =
      outputs >= kLane && !*residual;  // the last vector may overlap the one before; not where a residual is overwritten
  for (std::int64_t next = 0; next < outputs; next += kLane) {
    const std::int64_t c = again ? std::min(next, outputs - kLane) : next;
    V half[H * P], line[R], transformed[std::max(H, S)], add = {};
    if (bias) load_some(add, bias + c, outputs - c);
    for (int j = 0; j < P; ++j) {
      for (int i = 0; i < R; ++i) L::load(line[i], from + (i * P + j) * point_step + c);
      Down::output(transformed, line);
      for (int i = 0; i < H; ++i) half[i * P + j] = transformed[i];
    }
    for (int i = 0; i < H; ++i) {
      Across::output(transformed, half + i * P);
      for (int j = 0; j < S; ++j) {
        float* target = to[i * S + j];
        if (!target) continue;
        V v = transformed[j] + add, r = {};
        if (residual[i * S + j]) load_some(r, residual[i * S + j] + c, outputs - c), v += r;
        store_some(target + c, v, outputs - c);
      }
    }
  }
}

// Sums of Rows tiles over all channels, for Vectors x 16 outputs. transformed: slices of `block` tiles x 16 channels; w: a row of `panel`
// outputs for each channel.
template <int Rows, int Vectors>
FOVEA_INLINE void multiply_rows(const Matrices& m, const float* transformed, const float* w, float* to) {
  V sum[Rows * Vectors] = {};
  for (std::int64_t c = 0; c < m.channels; c += kLane, transformed += m.block * kLane) {
    const std::int64_t n = std::min(kLane, m.channels - c), repeated = m.channels < kLane ? 0 : kLane - n;
    for (std::int64_t k = repeated; k < repeated + n; ++k, w += m.panel) {
      V b[Vectors];
      for (int v = 0; v < Vectors; ++v) {
        __builtin_prefetch(w + kAhead * m.panel + v * kLane);
        L::load(b[v], w + v * kLane);
      }
      for (int r = 0; r < Rows; ++r) {
        const float a = transformed[r * kLane + k];
        for (int v = 0; v < Vectors; ++v) sum[r * Vectors + v] += b[v] * a;
      }
    }
  }
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < Vectors; ++v) L::store(to + r * m.step + v * kLane, sum[r * Vectors + v]);
}

template <int Rows, int Vectors>
FOVEA_INLINE void multiply_some(std::int64_t rows, const Matrices& m, const float* transformed, const float* w, float* to) {
  if (rows == Rows) return multiply_rows<Rows, Vectors>(m, transformed, w, to);
  if constexpr (Rows > 1) multiply_some<Rows - 1, Vectors>(rows, m, transformed, w, to);
}

// `count` tiles in shares of nearly equal size: a share of few rows leaves most of the registers idle.
template <int Rows, int Vectors>
FOVEA_INLINE void multiply_panel(const Matrices& m, std::int64_t count, const float* transformed, const float* w, float* to) {
  const std::int64_t shares = (count + Rows - 1) / Rows;
  for (std::int64_t s = 0; s < shares; ++s) {
    const std::int64_t from = count * s / shares, rows = count * (s + 1) / shares - from;
    multiply_some<Rows, Vectors>(rows, m, transformed + from * kLane, w, to + from * m.step);
  }
}

template <int Vectors>
FOVEA_SIMD_WIDE void multiply_wide(const Matrices& m, std::int64_t count, const float* transformed, const float* w, float* to) {
  multiply_panel<kManyRows, Vectors>(m, count, transformed, w, to);
}
FOVEA_SIMD_NARROW void multiply_narrow(const Matrices& m, std::int64_t count, const float* transformed, const float* w,
                                       float* to) {
  multiply_panel<kFewRows, 1>(m, count, transformed, w, to);
}

// Transforms a 3x3 kernel to points x points.
template <class Down, class Across>
void transform_weights(double* to, const float* w) {
  constexpr int R = Down::points, P = Across::points;
  std::array<double, R * 3> half;
  for (std::size_t j = 0; j < 3; ++j) {
    const std::array<double, 3> column{w[j], w[3 + j], w[6 + j]};
    std::array<double, R> transformed;
    Down::weights(transformed.data(), column.data());
    for (std::size_t k = 0; k < R; ++k) half[k * 3 + j] = transformed[k];
  }
  for (int k = 0; k < R; ++k) Across::weights(to + k * P, half.data() + k * 3);
}

// Calls f with Two or Four for the rows and for the columns.
template <class F>
void for_side(const Winograd::Side& side, const F& f) {
  if (side.columns == 2) f(Two{}, Two{});
  else if (side.rows == 2) f(Two{}, Four{});
  else f(Four{}, Four{});
}

std::int64_t up(std::int64_t n, std::int64_t unit) { return (n + unit - 1) / unit; }

}  // namespace

bool Winograd::fits(const dnn::Conv& c, const Shape& w) {
  const std::array<std::int64_t, 2> one{1, 1};
  return !c.transposed && c.groups == 1 && w[2] == 3 && w[3] == 3 && c.stride == one && c.dilation == one;
}

Winograd::Registers Winograd::registers() { return kernels::wide_registers() ? Registers::many : Registers::few; }

Winograd::Winograd(const dnn::Conv& c, const Shape& x, const Shape& y, Side side, Registers registers)
    : side_(side),
      registers_(registers),
      samples_(x[0]),
      channels_(x[1]),
      height_(x[2]),
      width_(x[3]),
      outputs_(y[1]),
      out_height_(y[2]),
      out_width_(y[3]),
      top_(c.pad_begin[0]),
      left_(c.pad_begin[1]),
      rows_(up(out_height_, side.rows)),
      columns_(up(out_width_, side.columns)),
      tiles_(samples_ * rows_ * columns_),
      slices_(up(channels_, kLane)),
      padded_(up(outputs_, kLane) * kLane),
      block_(std::min(tiles_, kBlock)) {}

std::int64_t Winograd::transformed_size() const { return points() * slices_ * block_ * kLane; }
std::int64_t Winograd::product_size() const { return points() * block_ * padded_; }
std::int64_t Winograd::workspace(int threads) const {
  return std::min<std::int64_t>(threads, up(tiles_, block_)) * (transformed_size() + product_size());
}

Tensor Winograd::transform(const Tensor& w) const {
  Tensor out = Tensor::zeros({points() * padded_ * channels_});
  const auto* from = w.data<float>();
  for (std::int64_t o = 0; o < outputs_; ++o) {
    const std::int64_t panel = o / kPanel * kPanel, wide = std::min(kPanel, padded_ - panel);
    for (std::int64_t i = 0; i < channels_; ++i, from += 9) {
      std::array<double, 36> transformed;
      for_side(side_,
               [&](auto down, auto across) { transform_weights<decltype(down), decltype(across)>(transformed.data(), from); });
      for (std::int64_t k = 0; k < points(); ++k)
        out.data<float>()[(k * padded_ + panel) * channels_ + i * wide + o - panel] =
            static_cast<float>(transformed[static_cast<std::size_t>(k)]);
    }
  }
  return out;
}

template <class Down, class Across>
void Winograd::gather(const Arguments& a, std::int64_t first, std::int64_t from, std::int64_t to, float* transformed) const {
  for (std::int64_t t = from; t < to; ++t) {
    const std::int64_t tile = first + t, row = tile / columns_ % rows_ * Down::side - top_,
                       column = tile % columns_ * Across::side - left_;
    const float* sample = a.x + tile / (rows_ * columns_) * height_ * width_ * channels_;
    const float* at[Down::points * Across::points];
    for (int i = 0; i < Down::points; ++i)
      for (int j = 0; j < Across::points; ++j) {
        const std::int64_t y = row + i, x = column + j;
        const bool inside = y >= 0 && y < height_ && x >= 0 && x < width_;
        at[i * Across::points + j] = inside ? sample + (y * width_ + x) * channels_ : nullptr;
      }
    transform_input<Down, Across>(at, channels_, transformed + t * kLane, slices_ * block_ * kLane, block_ * kLane);
  }
}

void Winograd::multiply(const Arguments& a, std::int64_t count, std::int64_t point, const float* transformed,
                        float* products) const {
  const float* tiles = transformed + point * slices_ * block_ * kLane;
  float* to = products + point * block_ * padded_;
  for (std::int64_t o = 0; o < padded_; o += kPanel) {
    const Matrices m{block_, channels_, std::min(kPanel, padded_ - o), padded_};
    const float* w = a.weights + (point * padded_ + o) * channels_;
    if (registers_ == Registers::few)
      for (std::int64_t half = 0; half < m.panel; half += kLane) multiply_narrow(m, count, tiles, w + half, to + o + half);
    else if (m.panel == kPanel) multiply_wide<2>(m, count, tiles, w, to + o);
    else multiply_wide<1>(m, count, tiles, w, to + o);
  }
}

template <class Down, class Across>
void Winograd::scatter(const Arguments& a, std::int64_t first, std::int64_t from, std::int64_t to, const float* products) const {
  for (std::int64_t t = from; t < to; ++t) {
    const std::int64_t tile = first + t, row = tile / columns_ % rows_ * Down::side, column = tile % columns_ * Across::side;
    const std::int64_t sample = tile / (rows_ * columns_) * out_height_ * out_width_;
    const std::int64_t high = std::min<std::int64_t>(Down::side, out_height_ - row),
                       wide = std::min<std::int64_t>(Across::side, out_width_ - column);
    float* target[Down::side * Across::side] = {};
    const float* residual[Down::side * Across::side] = {};
    for (std::int64_t i = 0; i < high; ++i)
      for (std::int64_t j = 0; j < wide; ++j) {
        const std::int64_t at = (sample + (row + i) * out_width_ + column + j) * outputs_;
        target[i * Across::side + j] = a.y + at;
        if (a.residual) residual[i * Across::side + j] = a.residual + at;
      }
    transform_output<Down, Across>(products + t * padded_, block_ * padded_, outputs_, a.bias, residual, target);
    if (a.after)
      for (std::int64_t i = 0; i < high; ++i) {
        float* line = target[i * Across::side];
        a.after->row(line, line, wide * outputs_, a.after->a, a.after->b);
      }
  }
}

template <class Down, class Across>
void Winograd::run_tiles(const Arguments& a) const {
  const std::int64_t blocks = up(tiles_, block_), workers = threads();
  if (blocks < threads()) {  // threads share each block, one stage after another
    float *transformed = a.workspace, *products = transformed + transformed_size();
    for (std::int64_t first = 0; first < tiles_; first += block_) {
      const std::int64_t count = std::min(block_, tiles_ - first);
      parallel_for(count, 1, [&](std::int64_t from, std::int64_t to) { gather<Down, Across>(a, first, from, to, transformed); });
      parallel_blocks(points(), [&](std::int64_t p) { multiply(a, count, p, transformed, products); });
      parallel_for(count, 1, [&](std::int64_t from, std::int64_t to) { scatter<Down, Across>(a, first, from, to, products); });
    }
    return;
  }
  parallel_blocks(workers, [&](std::int64_t worker) {
    float *transformed = a.workspace + worker * (transformed_size() + product_size()),
          *products = transformed + transformed_size();
    for (std::int64_t b = blocks * worker / workers; b < blocks * (worker + 1) / workers; ++b) {
      const std::int64_t count = std::min(block_, tiles_ - b * block_);
      gather<Down, Across>(a, b * block_, 0, count, transformed);
      for (std::int64_t p = 0; p < points(); ++p) multiply(a, count, p, transformed, products);
      scatter<Down, Across>(a, b * block_, 0, count, products);
    }
  });
}

void Winograd::run(const Arguments& a) const {
  for_side(side_, [&](auto down, auto across) { run_tiles<decltype(down), decltype(across)>(a); });
}

}  // namespace fovea::plan
