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

// Memory that a thread keeps from one call to the next.
template <class C>
C* thread_memory(std::int64_t elements) {
  thread_local std::vector<C> memory;
  if (static_cast<std::int64_t>(memory.size()) < elements) memory.resize(static_cast<std::size_t>(elements));
  return memory.data();
}

template <class C>
struct ForwardPass {
  Heads q, k, v;
  const Extras& extras;
  const WeightDrops& drops;
  double scale;
  void* out;  // N x h x Lq x dv dense, of q's type
  C* tops;    // N x h x Lq x 2: each row's maximum, and 1 / sum exp(s - maximum); null where nobody wants them

  std::int64_t heads() const { return q.dim(1); }
  std::int64_t keys() const { return k.dim(2); }
  std::int64_t width() const { return round_up(v.dim(3), kPanel); }
  // One head's keys and values as panels, tile after tile.
  std::int64_t tile_size() const { return kKeyTile * (q.dim(3) + width()); }
  std::int64_t tiles() const { return (keys() + kKeyTile - 1) / kKeyTile; }
  std::int64_t packed_size() const { return (tiles() - 1) * tile_size() + last_keys() * q.dim(3) + last_keys() * width(); }
  std::int64_t last_keys() const { return round_up(keys() - (tiles() - 1) * kKeyTile, kPanel); }

  std::int64_t blocks() const { return (q.dim(2) + kQueryTile - 1) / kQueryTile; }

  // Heads at once: as many as 8 MB of packed keys and values hold, so that all threads work on them, and memory is bounded.
  std::int64_t group() const {
    const std::int64_t bytes = packed_size() * static_cast<std::int64_t>(sizeof(C));
    return q.shape.elements() == 0 ? 0 : std::clamp<std::int64_t>((8 << 20) / bytes, 1, q.dim(0) * heads());
  }
  std::int64_t workspace() const { return group() * packed_size(); }  // elements

  void run(C* workspace) const {
    groups(workspace, [&](std::int64_t first, std::int64_t count, const C* packed) {
      parallel_for(count * blocks(), 1, [&](std::int64_t begin, std::int64_t end) {
        C* memory = thread_memory<C>(kQueryTile * kKeyTile + room_size());
        const Room room = room_in(memory + kQueryTile * kKeyTile);
        for (std::int64_t j = begin; j < end; ++j)
          block(first + j / blocks(), j % blocks() * kQueryTile, packed + j / blocks() * packed_size(), memory, room);
      });
    });
  }

  // f(first head, heads, their packed keys and values, which lie at `data`).
  template <class F>
  void groups(C* data, const F& f) const {
    const std::int64_t units = q.dim(0) * heads();
    for (std::int64_t first = 0; group() > 0 && first < units; first += group()) {
      const std::int64_t count = std::min(group(), units - first);
      parallel_for(count * tiles(), 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t j = begin; j < end; ++j) pack(first + j / tiles(), j % tiles(), data + j / tiles() * packed_size());
      });
      f(first, count, data);
    }
  }

  void pack(std::int64_t unit, std::int64_t tile, C* packed) const {
    const std::int64_t first = tile * kKeyTile, count = std::min(kKeyTile, keys() - first);
    C* to = packed + tile * tile_size();
    pack_transposed(to, rows_of(k, unit / heads(), unit % heads()), first, count);
    pack_panels(to + round_up(count, kPanel) * q.dim(3), rows_of(v, unit / heads(), unit % heads()), first, count);
  }

  // What a block of rows keeps while its tiles pass: the rows of q, the running results, maxima and sums.
  struct Room {
    C *query, *sums, *top, *total;
  };
  std::int64_t room_size() const { return kQueryTile * (q.dim(3) + width() + 2); }
  Room room_in(C* at) const {
    C *sums = at + kQueryTile * q.dim(3), *top = sums + kQueryTile * width();
    return {at, sums, top, top + kQueryTile};
  }
  std::int64_t rows_at(std::int64_t row) const { return std::min(kQueryTile, q.dim(2) - row); }

  void begin(std::int64_t unit, std::int64_t row, const Room& room) const {
    const std::int64_t rows = rows_at(row), padded = round_up(rows, kTileRows);
    pack_rows(room.query, rows_of(q, unit / heads(), unit % heads()), row, rows, padded, scale);
    std::fill(room.sums, room.sums + padded * width(), C(0));
    std::fill(room.top, room.top + rows, -std::numeric_limits<C>::infinity());
    std::fill(room.total, room.total + rows, C(0));
  }

  // Adds one tile, whose weights relative to the running maxima it leaves at s, lines kKeyTile apart. False where all of it is forbidden.
  bool add_tile(std::int64_t unit, std::int64_t row, std::int64_t tile, const C* packed, C* s, const Room& room) const {
    const std::int64_t d = q.dim(3), w = width(), rows = rows_at(row), padded = round_up(rows, kTileRows);
    const std::int64_t first = tile * kKeyTile, count = std::min(kKeyTile, keys() - first), columns = round_up(count, kPanel);
    const ScoreTile at{unit / heads(), unit % heads(), row, rows, first, count};
    if (extras.skips(at)) return false;
    const C* key = packed + tile * tile_size();
    tile_product(s, kKeyTile, room.query, d, std::int64_t{1}, key, padded, columns, d, false);
    finish_scores(s, kKeyTile, extras, at);
    for (std::int64_t r = 0; r < rows; ++r) {
      const C fade = soften_line(s + r * kKeyTile, count, room.top[r], room.total[r]);
      if (fade != C(1)) scale_line(room.sums + r * w, w, fade);
      if (drops.active()) drops.line(s + r * kKeyTile, at, row + r);
    }
    tile_product(room.sums, w, s, kKeyTile, std::int64_t{1}, key + columns * d, padded, w, count, true);
    return true;
  }

  void block(std::int64_t unit, std::int64_t row, const C* packed, C* s, const Room& room) const {
    begin(unit, row, room);
    for (std::int64_t tile = 0; tile < tiles(); ++tile) add_tile(unit, row, tile, packed, s, room);
    finish(unit, row, rows_at(row), room.sums, room.top, room.total);
  }

  void finish(std::int64_t unit, std::int64_t row, std::int64_t rows, const C* sums, const C* top, const C* total) const {
    const std::int64_t dv = v.dim(3), at = unit * q.dim(2) + row;
    for (std::int64_t r = 0; tops && r < rows; ++r) {
      // Apart, not as top + log sum: near -1e9 f32 has no room for the logarithm.
      tops[2 * (at + r)] = top[r] == -std::numeric_limits<C>::infinity() ? C(0) : top[r];
      tops[2 * (at + r) + 1] = C(1) / total[r];
    }
    dispatch_compute(q.type, "attention", [&](auto zero) {
      using T = decltype(zero);
      for (std::int64_t r = 0; r < rows; ++r)
        store_line(static_cast<T*>(out) + (at + r) * dv, sums + r * width(), dv, C(1) / total[r]);
    });
  }
};

}  // namespace fovea::kernels
