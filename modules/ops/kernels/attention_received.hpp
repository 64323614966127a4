// The forward pass of attention that also says what each key received: the mean of its weights over the queries. A row's weights are
// known when its last tile has passed, so a block of rows keeps its tiles, relative to the maxima of their time, and adds up its
// columns then, each row by exp(maximum then - maximum at last) / sum.
#pragma once

#include "modules/ops/kernels/attention_forward.hpp"

namespace fovea::kernels {

template <class C>
FOVEA_SIMD void add_columns(C* __restrict to, const C* __restrict from, const C* factor, std::int64_t rows, std::int64_t n) {
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4, factor += 4) {
    const C *a = from + r * kKeyTile, *b = a + kKeyTile, *c = b + kKeyTile, *d = c + kKeyTile;
    const C fa = factor[0], fb = factor[1], fc = factor[2], fd = factor[3];
    for (std::int64_t j = 0; j < n; ++j) to[j] += (fa * a[j] + fb * b[j]) + (fc * c[j] + fd * d[j]);
  }
  for (; r < rows; ++r, ++factor)
    for (std::int64_t j = 0; j < n; ++j) to[j] += *factor * from[r * kKeyTile + j];
}

template <class C>
struct ReceivedPass {
  const ForwardPass<C>& pass;
  C* received;  // N x h x 1 x Lk

  // Blocks of rows are dealt out in parts that depend on the shape alone: sums are the same for every number of threads.
  static constexpr std::int64_t kParts = 8;
  std::int64_t parts() const { return std::min(kParts, pass.blocks()); }
  static constexpr std::int64_t kTile = kQueryTile * kKeyTile;

  std::int64_t workspace() const { return pass.workspace() + pass.group() * parts() * pass.keys(); }  // elements

  void run(C* workspace) const {
    const std::int64_t keys = pass.keys();
    std::fill_n(received, pass.q.dim(0) * pass.heads() * keys, C(0));
    pass.groups(workspace, [&](std::int64_t first, std::int64_t count, const C* packed) {
      C* at = workspace + pass.workspace();
      parallel_blocks(count * parts(), [&](std::int64_t i) {
        part(first + i / parts(), i % parts(), packed + i / parts() * pass.packed_size(), at + i * keys);
      });
      for (std::int64_t i = 0; i < count * parts(); ++i) {
        C* to = received + (first + i / parts()) * keys;
        for (std::int64_t j = 0; j < keys; ++j) to[j] += at[i * keys + j] / static_cast<C>(pass.q.dim(2));
      }
    });
  }

  void part(std::int64_t unit, std::int64_t p, const C* packed, C* sums) const {
    C *s = thread_memory<C>(pass.tiles() * kTile + pass.room_size() + (pass.tiles() + 1) * kQueryTile),
      *tops = s + pass.tiles() * kTile, *factor = tops + pass.tiles() * kQueryTile;
    const auto room = pass.room_in(factor + kQueryTile);
    std::fill_n(sums, pass.keys(), C(0));
    for (std::int64_t b = pass.blocks() * p / parts(); b < pass.blocks() * (p + 1) / parts(); ++b)
      block(unit, b * kQueryTile, packed, s, tops, factor, room, sums);
  }

  void block(std::int64_t unit, std::int64_t row, const C* packed, C* s, C* tops, C* factor,
             const typename ForwardPass<C>::Room& room, C* sums) const {
    const std::int64_t rows = pass.rows_at(row);
    pass.begin(unit, row, room);
    for (std::int64_t tile = 0; tile < pass.tiles(); ++tile) {
      const bool added = pass.add_tile(unit, row, tile, packed, s + tile * kTile, room);
      if (added) std::copy_n(room.top, rows, tops + tile * kQueryTile);
      else std::fill_n(tops + tile * kQueryTile, rows, std::numeric_limits<C>::quiet_NaN());
    }
    pass.finish(unit, row, rows, room.sums, room.top, room.total);
    for (std::int64_t tile = 0; tile < pass.tiles(); ++tile) {
      const C* top = tops + tile * kQueryTile;
      if (std::isnan(top[0])) continue;  // nobody looks there
      for (std::int64_t r = 0; r < rows; ++r) {
        const bool nothing = top[r] == -std::numeric_limits<C>::infinity();  // allowed so far: all weights of the tile are 0
        factor[r] = (nothing ? C(1) : std::exp(top[r] - room.top[r])) / room.total[r];
      }
      add_columns(sums + tile * kKeyTile, s + tile * kTile, factor, rows, std::min(kKeyTile, pass.keys() - tile * kKeyTile));
    }
  }
};

}  // namespace fovea::kernels
