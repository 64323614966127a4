// Kernels over dense (segments, rows, channels) data: a channels-last map is one segment of N*H*W rows or N segments of H*W.
// Sums are taken over blocks of rows whose size depends on the channels alone, in the compute type, and joined in f64 in a
// fixed order: results do not depend on the thread count.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "modules/core/simd.hpp"
#include "modules/core/tensor.hpp"
#include "modules/core/threads.hpp"

namespace fovea::kernels {

struct ChannelRows {
  std::int64_t segments = 1, rows = 0, channels = 0;
  std::int64_t block_rows() const { return std::clamp<std::int64_t>(16384 / std::max<std::int64_t>(channels, 1), 16, 256); }
  std::int64_t blocks() const { return (rows + block_rows() - 1) / block_rows(); }
};

// (N, C, ...) with the channels moved last and dense: free for a channels-last map.
inline Tensor channels_to_back(const Tensor& x) {
  Shape order{0};
  for (int i = 2; i < x.rank(); ++i) order.push_back(i);
  order.push_back(1);
  return x.permute(order).contiguous(Layout::row_major);
}

// The inverse view: (N, ..., C) seen as (N, C, ...).
inline Tensor channels_to_front(const Tensor& x) {
  Shape order{0, x.rank() - 1};
  for (int i = 1; i + 1 < x.rank(); ++i) order.push_back(i);
  return x.permute(order);
}

// body(segment, first row of all rows, rows, block index) for every block, over threads.
template <class Body>
void for_each_block(const ChannelRows& s, const Body& body) {
  const std::int64_t blocks = s.blocks(), size = s.block_rows();
  parallel_blocks(s.segments * blocks, [&](std::int64_t i) {
    const std::int64_t segment = i / blocks, begin = i % blocks * size;
    body(segment, segment * s.rows + begin, std::min(size, s.rows - begin), i);
  });
}

// Sums of Q quantities per channel: add(acc, first row, rows) adds a block to acc[Q * channels]. Gives [segment][Q][channel].
template <int Q, class C, class Add>
std::vector<double> sum_rows(const ChannelRows& s, const Add& add) {
  const auto width = static_cast<std::size_t>(Q * s.channels), blocks = static_cast<std::size_t>(s.blocks());
  std::vector<C> partial(static_cast<std::size_t>(s.segments) * blocks * width, C{0});
  for_each_block(s, [&](std::int64_t segment, std::int64_t first, std::int64_t rows, std::int64_t block) {
    add(partial.data() + static_cast<std::size_t>(block) * width, first, rows, segment);
  });
  std::vector<double> total(static_cast<std::size_t>(s.segments) * width, 0.0);
  for (std::size_t i = 0; i < static_cast<std::size_t>(s.segments) * blocks; ++i)
    for (std::size_t c = 0; c < width; ++c) total[i / blocks * width + c] += static_cast<double>(partial[i * width + c]);
  return total;
}

template <class T, class C = compute_t<T>>
FOVEA_SIMD static void add_rows(C* sum, const T* x, std::int64_t rows, std::int64_t channels) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < channels; ++c) sum[c] += static_cast<C>(x[r * channels + c]);
}

// sum: of the rows; squares: of the distances to the block's own mean, which keeps digits where the mean is large.
template <class T, class C = compute_t<T>>
FOVEA_SIMD static void add_moments(C* sum, C* squares, C* mean, const T* x, std::int64_t rows, std::int64_t channels) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < channels; ++c) sum[c] += static_cast<C>(x[r * channels + c]);
  for (std::int64_t c = 0; c < channels; ++c) mean[c] = sum[c] / static_cast<C>(rows);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < channels; ++c) {
      const C d = static_cast<C>(x[r * channels + c]) - mean[c];
      squares[c] += d * d;
    }
}

struct Moments {
  std::vector<double> mean, squares;  // [segment][channel]; squares: sum of squared distances to the mean
};

// Chan, Golub, LeVeque 1979: joins the blocks' counts, means and squares. mean and squares: a value for each segment and channel;
// partial: room for three values for each block and channel.
template <class T, class C = compute_t<T>>
void moments(const T* x, const ChannelRows& s, C* partial, double* mean, double* squares) {
  const std::int64_t channels = s.channels, blocks = s.blocks();
  for_each_block(s, [&](std::int64_t, std::int64_t first, std::int64_t rows, std::int64_t block) {
    C* p = partial + block * 3 * channels;
    std::fill_n(p, 3 * channels, C{0});
    add_moments(p, p + channels, p + 2 * channels, x + first * channels, rows, channels);
  });
  std::fill_n(mean, s.segments * channels, 0.0), std::fill_n(squares, s.segments * channels, 0.0);
  for (std::int64_t i = 0; i < s.segments * blocks; ++i) {
    const C* p = partial + i * 3 * channels;
    const auto before = static_cast<double>(i % blocks * s.block_rows());
    const double n = std::min(static_cast<double>(s.block_rows()), static_cast<double>(s.rows) - before);
    for (std::int64_t c = 0; c < channels; ++c) {
      double& centre = mean[i / blocks * channels + c];
      const double delta = static_cast<double>(p[c]) / n - centre;
      squares[i / blocks * channels + c] += static_cast<double>(p[channels + c]) + delta * delta * before * n / (before + n);
      centre += delta * n / (before + n);
    }
  }
}

template <class T>
Moments moments(const T* x, const ChannelRows& s) {
  const auto channels = static_cast<std::size_t>(s.segments * s.channels);
  std::vector<compute_t<T>> partial(static_cast<std::size_t>(s.blocks()) * 3 * channels);
  Moments m{std::vector<double>(channels), std::vector<double>(channels)};
  moments(x, s, partial.data(), m.mean.data(), m.squares.data());
  return m;
}

// Room for the moments of an f32 map where nothing may be allocated, in floats: mean and squares in f64, then what they are joined from.
struct MomentsRoom {
  double *mean, *squares;
  float* partial;
  MomentsRoom(const ChannelRows& s, float* room)
      : mean(reinterpret_cast<double*>(room)),
        squares(mean + s.segments * s.channels),
        partial(room + 4 * s.segments * s.channels) {}
  static std::int64_t size(const ChannelRows& s) { return s.segments * s.channels * (4 + 3 * s.blocks()); }
};

// y = (x - mean) * scale + shift, all per channel.
template <class T, class C = compute_t<T>>
FOVEA_SIMD static void normalise_rows(T* y, const T* x, const C* mean, const C* scale, const C* shift, std::int64_t rows,
                                      std::int64_t channels) {
  for (std::int64_t r = 0; r < rows; ++r, y += channels, x += channels)
    for (std::int64_t c = 0; c < channels; ++c) y[c] = static_cast<T>((static_cast<C>(x[c]) - mean[c]) * scale[c] + shift[c]);
}

// Sums of dy and of dy * (x - mean).
template <class T, class C = compute_t<T>>
FOVEA_SIMD static void add_gradients(C* plain, C* moved, const T* dy, const T* x, const C* mean, std::int64_t rows,
                                     std::int64_t channels) {
  for (std::int64_t r = 0; r < rows; ++r, dy += channels, x += channels)
    for (std::int64_t c = 0; c < channels; ++c) {
      const C g = static_cast<C>(dy[c]);
      plain[c] += g;
      moved[c] += g * (static_cast<C>(x[c]) - mean[c]);
    }
}

// dx = a * dy + b * (x - mean) + d, all per channel.
template <class T, class C = compute_t<T>>
FOVEA_SIMD static void normalise_rows_back(T* dx, const T* dy, const T* x, const C* mean, const C* a, const C* b, const C* d,
                                           std::int64_t rows, std::int64_t channels) {
  for (std::int64_t r = 0; r < rows; ++r, dx += channels, dy += channels, x += channels)
    for (std::int64_t c = 0; c < channels; ++c)
      dx[c] = static_cast<T>(a[c] * static_cast<C>(dy[c]) + b[c] * (static_cast<C>(x[c]) - mean[c]) + d[c]);
}

// A parameter's values in the compute type; `otherwise` where it is absent.
template <class C>
std::vector<C> values_or(const Tensor& parameter, std::int64_t n, C otherwise) {
  if (!parameter.defined()) return std::vector<C>(static_cast<std::size_t>(n), otherwise);
  const Tensor dense = parameter.to(dtype_of<C>::value).contiguous(Layout::row_major);
  return {dense.template data<C>(), dense.template data<C>() + n};
}

template <class From>
Tensor tensor_of(const std::vector<From>& values, DType dtype) {
  return Tensor::from(values, Shape{static_cast<std::int64_t>(values.size())}).to(dtype);
}

}  // namespace fovea::kernels
