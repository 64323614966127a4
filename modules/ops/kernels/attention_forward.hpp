// The forward pass of attention. For each tile of rows: for each tile of columns s = q k^T, the running maximum m of each row,
// p = exp(s - m), sum = sum exp(m_old - m) + sum_j p, out = out exp(m_old - m) + p v; at the end out / sum.
#pragma once

#include <vector>

#include "modules/core/threads.hpp"
#include "modules/ops/kernels/attention_dropout.hpp"
#include "modules/ops/kernels/attention_tiles.hpp"

namespace fovea::kernels {

// Turns a row of scores into exp(s - top) with the running top, adds their sum and returns exp(top_old - top).
template <class C>
FOVEA_SIMD C soften_line(C* s, std::int64_t n, C& top, C& sum) {
  constexpr C lowest = -std::numeric_limits<C>::infinity();
  C high = top;
#pragma omp simd reduction(max : high)
  for (std::int64_t j = 0; j < n; ++j) high = s[j] > high ? s[j] : high;
  // Nothing allowed so far: exp(-inf - 0) leaves zeros, and 0 / 0 at the end says that there is no distribution.
  const C shift = high == lowest ? C(0) : high;
  C added = 0;
#pragma omp simd reduction(+ : added)
  for (std::int64_t j = 0; j < n; ++j) {
    s[j] = math::exp(s[j] - shift);
    added += s[j];
  }
  const C fade = high == top ? C(1) : math::exp(top - shift);
  sum = sum * fade + added;
  top = high;
  return fade;
}

template <class C>
FOVEA_SIMD void scale_line(C* x, std::int64_t n, C factor) {
  for (std::int64_t j = 0; j < n; ++j) x[j] *= factor;
}

template <class T, class C>
FOVEA_SIMD void store_line(T* to, const C* from, std::int64_t n, C factor) {
  for (std::int64_t j = 0; j < n; ++j) to[j] = static_cast<T>(from[j] * factor);
}

template <class C>
struct ForwardPass {
  const Tensor &q, &k, &v;
  const Extras& extras;
  const WeightDrops& drops;
  double scale;
  Tensor &out,
      &tops;  // N x h x Lq x dv dense, of q's type; N x h x Lq x 2 of C: each row's maximum, and 1 / sum exp(s - maximum)

  std::int64_t heads() const { return q.dim(1); }
  std::int64_t keys() const { return k.dim(2); }
  std::int64_t width() const { return round_up(v.dim(3), kPanel); }
  // One head's keys and values as panels, tile after tile.
  std::int64_t tile_size() const { return kKeyTile * (q.dim(3) + width()); }
  std::int64_t tiles() const { return (keys() + kKeyTile - 1) / kKeyTile; }
  std::int64_t packed_size() const { return (tiles() - 1) * tile_size() + last_keys() * q.dim(3) + last_keys() * width(); }
  std::int64_t last_keys() const { return round_up(keys() - (tiles() - 1) * kKeyTile, kPanel); }

  // As many heads at once as 8 MB of packed keys and values hold: all threads work on them, and memory is bounded.
  void run() const {
    if (out.size() == 0) return;
    const std::int64_t units = q.dim(0) * heads();
    const std::int64_t group =
        std::clamp<std::int64_t>((8 << 20) / (packed_size() * static_cast<std::int64_t>(sizeof(C))), 1, units);
    Tensor packed = Tensor::empty({group, packed_size()}, dtype_of<C>::value);
    const std::int64_t blocks = (q.dim(2) + kQueryTile - 1) / kQueryTile;
    for (std::int64_t first = 0; first < units; first += group) {
      const std::int64_t count = std::min(group, units - first);
      C* data = packed.data<C>();
      parallel_for(count * tiles(), 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t j = begin; j < end; ++j) pack(first + j / tiles(), j % tiles(), data + j / tiles() * packed_size());
      });
      parallel_for(count * blocks, 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<C> room(static_cast<std::size_t>(kQueryTile * (kKeyTile + q.dim(3) + width() + 2)));
        for (std::int64_t j = begin; j < end; ++j)
          block(first + j / blocks, j % blocks * kQueryTile, data + j / blocks * packed_size(), room.data());
      });
    }
  }

  void pack(std::int64_t unit, std::int64_t tile, C* packed) const {
    const std::int64_t first = tile * kKeyTile, count = std::min(kKeyTile, keys() - first);
    C* to = packed + tile * tile_size();
    pack_transposed(to, rows_of(k, unit / heads(), unit % heads()), first, count);
    pack_panels(to + round_up(count, kPanel) * q.dim(3), rows_of(v, unit / heads(), unit % heads()), first, count);
  }

  void block(std::int64_t unit, std::int64_t row, const C* packed, C* room) const {
    const std::int64_t n = unit / heads(), h = unit % heads(), d = q.dim(3), w = width();
    const std::int64_t rows = std::min(kQueryTile, q.dim(2) - row), padded = round_up(rows, kTileRows);
    C *s = room, *query = s + kQueryTile * kKeyTile, *sums = query + kQueryTile * d, *top = sums + kQueryTile * w,
      *total = top + kQueryTile;
    pack_rows(query, rows_of(q, n, h), row, rows, padded, scale);
    std::fill(sums, sums + padded * w, C(0));
    std::fill(top, top + rows, -std::numeric_limits<C>::infinity());
    std::fill(total, total + rows, C(0));
    for (std::int64_t tile = 0; tile < tiles(); ++tile) {
      const std::int64_t first = tile * kKeyTile, count = std::min(kKeyTile, keys() - first);
      const Place at{n, h, row, rows, first, count};
      if (extras.skips(at)) continue;
      const C* key = packed + tile * tile_size();
      const std::int64_t columns = round_up(count, kPanel);
      tile_product(s, kKeyTile, query, d, std::int64_t{1}, key, padded, columns, d, false);
      finish_scores(s, kKeyTile, extras, at);
      for (std::int64_t r = 0; r < rows; ++r) {
        const C fade = soften_line(s + r * kKeyTile, count, top[r], total[r]);
        if (fade != C(1)) scale_line(sums + r * w, w, fade);
        if (drops.active()) drops.line(s + r * kKeyTile, at, row + r);
      }
      tile_product(sums, w, s, kKeyTile, std::int64_t{1}, key + columns * d, padded, w, count, true);
    }
    finish(unit, row, rows, sums, top, total);
  }

  void finish(std::int64_t unit, std::int64_t row, std::int64_t rows, const C* sums, const C* top, const C* total) const {
    const std::int64_t dv = v.dim(3), at = unit * q.dim(2) + row;
    for (std::int64_t r = 0; r < rows; ++r) {
      // Apart, not as top + log sum: near -1e9 f32 has no room for the logarithm.
      tops.data<C>()[2 * (at + r)] = top[r] == -std::numeric_limits<C>::infinity() ? C(0) : top[r];
      tops.data<C>()[2 * (at + r) + 1] = C(1) / total[r];
    }
    dispatch_compute(out.dtype(), "attention", [&](auto zero) {
      using T = decltype(zero);
      for (std::int64_t r = 0; r < rows; ++r) store_line(out.data<T>() + (at + r) * dv, sums + r * width(), dv, C(1) / total[r]);
    });
  }
};

}  // namespace fovea::kernels
