#include "modules/ops/kernels/depthwise.hpp"

#include <algorithm>
#include <vector>

#include "modules/core/threads.hpp"
#include "modules/ops/kernels/lanes.hpp"

namespace fovea::kernels {
namespace {

// Weights C x 1 x kh x kw as taps x C, so that a tap's channels lie side by side.
std::vector<float> by_tap(const Tensor& w) {
  const std::int64_t channels = w.dim(0), taps = w.dim(2) * w.dim(3);
  std::vector<float> out(static_cast<std::size_t>(channels * taps));
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t t = 0; t < taps; ++t) out[static_cast<std::size_t>(t * channels + c)] = w.data<float>()[c * taps + t];
  return out;
}

// One term of a row of results: result j gets row[column + j * step] * weight.
template <class T>
struct Tap {
  const T* row;
  std::int64_t column;
  const float* weight;
};

struct RowPlan {
  std::int64_t count, step;      // results; columns of the source from one to the next
  std::int64_t width, channels;  // of the source
  std::int64_t spread;           // results lie so many positions apart
};

// `Many` results from j on, of L::count channels from c on; with Edge columns outside the source count as 0.
template <class L, int Many, bool Edge, class T>
FOVEA_INLINE void results(T* out, const std::vector<Tap<T>>& taps, const RowPlan& p, std::int64_t j, std::int64_t c) {
  typename L::Floats sum[Many] = {};
  for (const Tap<T>& t : taps) {
    const std::int64_t column = t.column + j * p.step;
    if constexpr (Edge)
      if (column < 0 || column >= p.width) continue;
    typename L::Floats weight, value;
    L::load(weight, t.weight + c);
    for (int m = 0; m < Many; ++m) {
      L::load(value, t.row + (column + m * p.step) * p.channels + c);
      sum[m] += value * weight;
    }
  }
  for (int m = 0; m < Many; ++m) L::store(out + (j + m) * p.spread * p.channels + c, sum[m]);
}

template <class L, class T>
FOVEA_INLINE void channels_of_row(T* out, const std::vector<Tap<T>>& taps, const RowPlan& p, std::int64_t first,
                                  std::int64_t last, std::int64_t& c) {
  for (; c + L::count <= p.channels; c += L::count) {
    std::int64_t j = 0;
    for (; j < first; ++j) results<L, 1, true>(out, taps, p, j, c);
    for (; j + 4 <= last; j += 4) results<L, 4, false>(out, taps, p, j, c);
    for (; j < p.count; ++j) results<L, 1, true>(out, taps, p, j, c);
  }
}

// All results of a row; [first, last) are those that no column is missing for.
template <class T>
FOVEA_SIMD void correlate_row(T* out, const std::vector<Tap<T>>& taps, const RowPlan& p, std::int64_t first, std::int64_t last) {
  std::int64_t c = 0;
  channels_of_row<Lanes16>(out, taps, p, first, last, c);
  channels_of_row<Lanes4>(out, taps, p, first, last, c);
  channels_of_row<Lanes1>(out, taps, p, first, last, c);
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

template <class T>
void run_row(T* out, const std::vector<Tap<T>>& taps, const RowPlan& p) {
  std::int64_t first = 0, last = p.count;
  for (const Tap<T>& t : taps) {
    first = std::max(first, -floor_div(t.column, p.step));
    last = std::min(last, floor_div(p.width - 1 - t.column, p.step) + 1);
  }
  first = std::min(first, p.count);
  correlate_row(out, taps, p, first, std::max(first, last));
}

// f(n, row) for every row of a map, over threads.
template <class F>
void for_each_map_row(const Tensor& map, const F& f) {
  const std::int64_t height = map.dim(2), row = map.dim(1) * map.dim(3);
  parallel_for(map.dim(0) * height, std::max<std::int64_t>(1, 4096 / std::max<std::int64_t>(row, 1)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t r = begin; r < end; ++r) f(r / height, r % height);
               });
}

template <class T>
void forward(const Depthwise& d, const Tensor& x, const Tensor& w, Tensor& y) {
  const std::vector<float> weights = by_tap(w);
  const std::int64_t channels = x.dim(1), height = x.dim(2), width = x.dim(3), kh = w.dim(2), kw = w.dim(3);
  for_each_map_row(y, [&](std::int64_t n, std::int64_t oh) {
    std::vector<Tap<T>> taps;
    for (std::int64_t a = 0; a < kh; ++a) {
      const std::int64_t h = oh * d.stride[0] - d.pad[0] + a * d.dilation[0];
      if (h < 0 || h >= height) continue;
      for (std::int64_t b = 0; b < kw; ++b)
        taps.push_back({x.data<T>() + (n * height + h) * width * channels, b * d.dilation[1] - d.pad[1],
                        weights.data() + (a * kw + b) * channels});
    }
    T* out = y.data<T>() + (n * y.dim(2) + oh) * y.dim(3) * channels;
    run_row(out, taps, {y.dim(3), d.stride[1], width, channels, 1});
  });
}

// With a stride s, every s-th column of the result has the same taps: the row is done in s parts.
template <class T>
void backward_data(const Depthwise& d, const Tensor& gy, const Tensor& w, Tensor& gx) {
  const std::vector<float> weights = by_tap(w);
  const std::int64_t channels = gx.dim(1), height = gy.dim(2), width = gy.dim(3), kh = w.dim(2), kw = w.dim(3);
  for_each_map_row(gx, [&](std::int64_t n, std::int64_t ih) {
    for (std::int64_t part = 0; part < std::min(d.stride[1], gx.dim(3)); ++part) {
      std::vector<Tap<T>> taps;
      for (std::int64_t a = 0; a < kh; ++a) {
        const std::int64_t h = ih + d.pad[0] - a * d.dilation[0];
        if (h < 0 || h % d.stride[0] != 0 || h / d.stride[0] >= height) continue;
        for (std::int64_t b = 0; b < kw; ++b) {
          const std::int64_t column = part + d.pad[1] - b * d.dilation[1];
          if (column % d.stride[1] != 0) continue;
          taps.push_back({gy.data<T>() + (n * height + h / d.stride[0]) * width * channels, column / d.stride[1],
                          weights.data() + (a * kw + b) * channels});
        }
      }
      T* out = gx.data<T>() + ((n * gx.dim(2) + ih) * gx.dim(3) + part) * channels;
      run_row(out, taps, {(gx.dim(3) - part + d.stride[1] - 1) / d.stride[1], 1, width, channels, d.stride[1]});
    }
  });
}

template <class T>
struct WeightRow {
  const T* rows[5];  // of x under the kernel's rows; a row of zeros where there is none
  const T* gy;
  std::int64_t outputs, width, channels, stride, pad;
};

// Adds a row's part to the sums of all taps, which stay in registers along it.
template <int K, class L, class T>
FOVEA_INLINE void add_weight_row(float* sums, const WeightRow<T>& r, std::int64_t& c) {
  using Floats = typename L::Floats;
  for (; c + L::count <= r.channels; c += L::count) {
    Floats sum[K * K], value, grad;
    for (int t = 0; t < K * K; ++t) L::load(sum[t], sums + t * r.channels + c);
    for (std::int64_t o = 0; o < r.outputs; ++o) {
      const std::int64_t left = o * r.stride - r.pad;
      L::load(grad, r.gy + o * r.channels + c);
      const std::int64_t at = left * r.channels + c;
      if (left >= 0 && left + K <= r.width) {
        for (int a = 0; a < K; ++a)
          for (int b = 0; b < K; ++b) {
            L::load(value, r.rows[a] + at + b * r.channels);
            sum[a * K + b] += value * grad;
          }
        continue;
      }
      for (int b = 0; b < K; ++b)
        if (left + b >= 0 && left + b < r.width)
          for (int a = 0; a < K; ++a) {
            L::load(value, r.rows[a] + at + b * r.channels);
            sum[a * K + b] += value * grad;
          }
    }
    for (int t = 0; t < K * K; ++t) L::store(sums + t * r.channels + c, sum[t]);
  }
}

template <int K, class T>
FOVEA_SIMD void weight_row(float* sums, const WeightRow<T>& r) {
  std::int64_t c = 0;
  add_weight_row<K, Lanes16>(sums, r, c);
  add_weight_row<K, Lanes4>(sums, r, c);
  add_weight_row<K, Lanes1>(sums, r, c);
}

// Rows are dealt out to blocks by the shape alone; the blocks' sums are joined in order.
std::int64_t blocks_of(const Tensor& gy) {
  const std::int64_t rows = gy.dim(0) * gy.dim(2);
  return std::min(rows, std::clamp<std::int64_t>(rows * gy.dim(3) / 256, 4, 16));
}

// gw from the sums [block][tap][channel].
FOVEA_SIMD void join_blocks(float* gw, const float* sums, std::int64_t blocks, std::int64_t taps, std::int64_t channels) {
  std::vector<double> total(static_cast<std::size_t>(taps * channels), 0.0);
  double* all = total.data();
  for (std::int64_t b = 0; b < blocks; ++b)
    for (std::int64_t i = 0; i < taps * channels; ++i) all[i] += static_cast<double>(sums[b * taps * channels + i]);
  for (std::int64_t t = 0; t < taps; ++t)
    for (std::int64_t c = 0; c < channels; ++c) gw[c * taps + t] = static_cast<float>(all[t * channels + c]);
}

template <int K, class T>
void backward_weights(const Depthwise& d, const Tensor& x, const Tensor& gy, Tensor& gw) {
  const std::int64_t channels = x.dim(1), height = x.dim(2), width = x.dim(3), rows = gy.dim(0) * gy.dim(2);
  const std::int64_t blocks = blocks_of(gy), size = K * K * channels;
  const std::vector<T> nothing(static_cast<std::size_t>(width * channels), T(0.0f));
  std::vector<float> sums(static_cast<std::size_t>(blocks * size), 0.0f);
  parallel_blocks(blocks, [&](std::int64_t block) {
    WeightRow<T> r{{}, nullptr, gy.dim(3), width, channels, d.stride[1], d.pad[1]};
    for (std::int64_t i = rows * block / blocks; i < rows * (block + 1) / blocks; ++i) {
      const std::int64_t n = i / gy.dim(2), top = i % gy.dim(2) * d.stride[0] - d.pad[0];
      for (int a = 0; a < K; ++a) {
        const bool inside = top + a >= 0 && top + a < height;
        r.rows[a] = inside ? x.data<T>() + (n * height + top + a) * width * channels : nothing.data();
      }
      r.gy = gy.data<T>() + i * gy.dim(3) * channels;
      weight_row<K>(sums.data() + block * size, r);
    }
  });
  join_blocks(gw.data<float>(), sums.data(), blocks, K * K, channels);
}

template <class F>
void with_type(const Tensor& t, const F& f) {
  if (t.dtype() == DType::bf16) f(bf16());
  else f(0.0f);
}

}  // namespace

void depthwise_forward(const Depthwise& d, const Tensor& x, const Tensor& w, Tensor& y) {
  with_type(x, [&](auto zero) { forward<decltype(zero)>(d, x, w, y); });
}

void depthwise_backward_data(const Depthwise& d, const Tensor& gy, const Tensor& w, Tensor& gx) {
  with_type(gy, [&](auto zero) { backward_data<decltype(zero)>(d, gy, w, gx); });
}

bool depthwise_backward_weights(const Depthwise& d, const Tensor& x, const Tensor& gy, Tensor& gw) {
  const std::int64_t k = gw.dim(2);
  if (gw.dim(3) != k || (k != 3 && k != 5) || d.dilation[0] != 1 || d.dilation[1] != 1) return false;
  with_type(x, [&](auto zero) {
    using T = decltype(zero);
    if (k == 3) backward_weights<3, T>(d, x, gy, gw);
    else backward_weights<5, T>(d, x, gy, gw);
  });
  return true;
}

}  // namespace fovea::kernels
