// The backward pass of attention. With p the weights, again from the saved maximum and sum of each row, and g the gradient of the
// result: dv = p^T g; ds = p (g v^T - rowsum(g out)); dq = scale ds k; dk = scale ds^T q; the bias takes ds. Under dropout the p of dv and
// the g v^T are dropped alike.
// Tiles of columns outside, of rows inside: dk and dv of a tile stay in the cache, dq is summed in a buffer.
#pragma once

#include <vector>

#include "modules/core/threads.hpp"
#include "modules/ops/kernels/attention_dropout.hpp"
#include "modules/ops/kernels/attention_tiles.hpp"

namespace fovea::kernels {

// s becomes p, dp becomes ds.
template <class C>
FOVEA_SIMD void differentiate_line(C* s, C* dp, std::int64_t n, C top, C inverse, C mean) {
  for (std::int64_t j = 0; j < n; ++j) {
    s[j] = math::exp(s[j] - top) * inverse;
    dp[j] = s[j] * (dp[j] - mean);
  }
}

template <class C>
FOVEA_SIMD C dot_line(const C* a, const C* b, std::int64_t n) {
  C sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < n; ++j) sum += a[j] * b[j];
  return sum;
}

template <class C>
struct BackwardPass {
  const Tensor &q, &k, &v, &out, &tops, &grad;
  const Extras& extras;
  const WeightDrops& drops;
  double scale;
  Tensor &dq, &dk, &dv;  // dense, of their inputs' types
  Tensor dbias;          // of C, in the bias's own four axes; undefined when not wanted

  std::int64_t heads() const { return q.dim(1); }
  std::int64_t queries() const { return q.dim(2); }
  std::int64_t keys() const { return k.dim(2); }
  std::int64_t depth() const { return q.dim(3); }
  std::int64_t wide_q() const { return round_up(depth(), kPanel); }
  std::int64_t wide_v() const { return round_up(v.dim(3), kPanel); }
  std::int64_t tiles() const { return (keys() + kKeyTile - 1) / kKeyTile; }
  std::int64_t part_size() const { return round_up(queries(), kTileRows) * wide_q(); }

  // A head is one job, or several that share its columns where there are more threads than heads.
  void run() const {
    const std::int64_t units = q.dim(0) * heads(), budget = (16 << 20) / static_cast<std::int64_t>(sizeof(C));
    const std::int64_t bias_size = dbias.defined() ? queries() * keys() : 0;
    if (units * queries() * keys() == 0) return;
    const std::int64_t group = std::clamp<std::int64_t>(budget / (part_size() + bias_size), 1, units);
    const std::int64_t parts =
        std::clamp<std::int64_t>(std::min((threads() + group - 1) / group, budget / part_size()), 1, tiles());
    Tensor sums = Tensor::empty({group, parts * part_size()}, dtype_of<C>::value);
    Tensor scores = bias_size ? Tensor::empty({group, bias_size}, dtype_of<C>::value) : Tensor();
    for (std::int64_t first = 0; first < units; first += group) {
      const std::int64_t count = std::min(group, units - first);
      sums.fill(0);
      parallel_for(count * parts, 1, [&](std::int64_t begin, std::int64_t end) {
        Room room(*this);
        for (std::int64_t j = begin; j < end; ++j) {
          C* ds = bias_size ? scores.data<C>() + j / parts * bias_size : nullptr;
          for (std::int64_t t = j % parts; t < tiles(); t += parts)
            tile(first + j / parts, t * kKeyTile, sums.data<C>() + j * part_size(), ds, room);
        }
      });
      store_queries(first, count, parts, sums.data<C>());
      if (bias_size) add_to_bias(first, count, scores.data<C>());
    }
  }

 private:
  // What one thread works in.
  struct Room {
    std::vector<C> memory;
    C *s, *dp, *key_t, *value_t, *key, *query, *query_panels, *grad, *grad_panels, *out, *dk, *dv;
    explicit Room(const BackwardPass& p) {
      const std::int64_t d = p.depth(), e = p.v.dim(3), dw = p.wide_q(), ew = p.wide_v();
      const std::int64_t sizes[] = {kQueryTile * kKeyTile, kQueryTile * kKeyTile, d * kKeyTile,    e * kKeyTile,
                                    kKeyTile * dw,         kQueryTile * d,        kQueryTile * dw, kQueryTile * e,
                                    kQueryTile * ew,       kQueryTile * e,        kKeyTile * dw,   kKeyTile * ew};
      C** positions[] = {&s, &dp, &key_t, &value_t, &key, &query, &query_panels, &grad, &grad_panels, &out, &dk, &dv};
      std::int64_t total = 0;
      for (const std::int64_t size : sizes) total += round_up(size, 16);
      memory.resize(static_cast<std::size_t>(total));
      C* at = memory.data();
      for (std::size_t i = 0; i < std::size(sizes); at += round_up(sizes[i], 16), ++i) *positions[i] = at;
    }
  };

  void tile(std::int64_t unit, std::int64_t first, C* sums, C* scores, Room& room) const {
    const std::int64_t n = unit / heads(), h = unit % heads(), count = std::min(kKeyTile, keys() - first);
    pack_transposed(room.key_t, rows_of(k, n, h), first, count);
    pack_transposed(room.value_t, rows_of(v, n, h), first, count);
    pack_panels(room.key, rows_of(k, n, h), first, count);
    std::fill(room.dk, room.dk + kKeyTile * wide_q(), C(0));
    std::fill(room.dv, room.dv + kKeyTile * wide_v(), C(0));
    for (std::int64_t row = 0; row < queries(); row += kQueryTile) {
      const ScoreTile at{n, h, row, std::min(kQueryTile, queries() - row), first, count};
      const bool skipped = extras.skips(at);
      if (!skipped) block(at, sums + row * wide_q(), room);
      for (std::int64_t r = 0; scores && r < at.rows; ++r) {
        C* to = scores + (row + r) * keys() + first;
        if (skipped) std::fill_n(to, count, C(0));
        else std::copy_n(room.dp + r * kKeyTile, count, to);
      }
    }
    if (dk.defined()) store(dk, unit * keys() + first, count, room.dk, wide_q(), scale);
    if (dv.defined()) store(dv, unit * keys() + first, count, room.dv, wide_v(), 1);
  }

  void block(const ScoreTile& at, C* sums, Room& room) const {
    const std::int64_t d = depth(), e = v.dim(3), padded = round_up(at.rows, kTileRows);
    const std::int64_t columns = round_up(at.columns, kPanel), column_rows = round_up(at.columns, kTileRows);
    const Rows queries_of = rows_of(q, at.n, at.h), grads_of = rows_of(grad, at.n, at.h);
    pack_rows(room.query, queries_of, at.row, at.rows, padded, scale);
    pack_rows(room.grad, grads_of, at.row, at.rows, padded);
    pack_rows(room.out, rows_of(out, at.n, at.h), at.row, at.rows, at.rows);
    pack_panels(room.query_panels, queries_of, at.row, at.rows);
    pack_panels(room.grad_panels, grads_of, at.row, at.rows);
    tile_product(room.s, kKeyTile, room.query, d, std::int64_t{1}, room.key_t, padded, columns, d, false);
    tile_product(room.dp, kKeyTile, room.grad, e, std::int64_t{1}, room.value_t, padded, columns, e, false);
    finish_scores(room.s, kKeyTile, extras, at);
    const C* top = tops.data<C>() + 2 * ((at.n * heads() + at.h) * queries() + at.row);
    for (std::int64_t r = 0; r < at.rows; ++r) {
      const C mean = dot_line(room.grad + r * e, room.out + r * e, e);
      C *s = room.s + r * kKeyTile, *dp = room.dp + r * kKeyTile;
      if (drops.active()) drops.line(dp, at, at.row + r);
      differentiate_line(s, dp, at.columns, top[2 * r], top[2 * r + 1], mean);
      if (drops.active()) drops.line(s, at, at.row + r);
    }
    clear_forbidden(room.dp, kKeyTile, extras, at);
    const std::int64_t one = 1, ld = kKeyTile;
    tile_product(room.dv, wide_v(), room.s, one, ld, room.grad_panels, column_rows, wide_v(), at.rows, true);
    tile_product(room.dk, wide_q(), room.dp, one, ld, room.query_panels, column_rows, wide_q(), at.rows, true);
    tile_product(sums, wide_q(), room.dp, ld, one, room.key, padded, wide_q(), at.columns, true);
  }

  static void store(Tensor& to, std::int64_t first, std::int64_t count, const C* from, std::int64_t ld, double factor) {
    const std::int64_t width = to.dim(3);
    dispatch_compute(to.dtype(), "attention", [&](auto zero) {
      using T = decltype(zero);
      for (std::int64_t r = 0; r < count; ++r)
        for (std::int64_t j = 0; j < width; ++j)
          to.data<T>()[(first + r) * width + j] = static_cast<T>(from[r * ld + j] * static_cast<C>(factor));
    });
  }

  void store_queries(std::int64_t first, std::int64_t count, std::int64_t parts, C* sums) const {
    if (!dq.defined()) return;
    parallel_for(count * queries(), 64, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t j = begin; j < end; ++j) {
        C* line = sums + j / queries() * parts * part_size() + j % queries() * wide_q();
        for (std::int64_t p = 1; p < parts; ++p) add_line(line, line + p * part_size(), 1, depth());
        store(dq, first * queries() + j, 1, line, wide_q(), scale);
      }
    });
  }

  // In the order of the heads, so that a rerun gives the same bits.
  void add_to_bias(std::int64_t first, std::int64_t count, const C* scores) const {
    const bool every_row = dbias.dim(2) == queries(), every_column = dbias.dim(3) == keys();
    const auto rows = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t unit = 0; unit < count; ++unit) {
        const std::int64_t n = (first + unit) / heads() % dbias.dim(0), h = dbias.dim(1) == 1 ? 0 : (first + unit) % heads();
        for (std::int64_t i = begin; i < end; ++i) {
          C* to = const_cast<C*>(line_of<C>(dbias, n, h, every_row ? i : 0));
          const C* from = scores + (unit * queries() + i) * keys();
          if (every_column) add_line(to, from, 1, keys());
          else
            for (std::int64_t j = 0; j < keys(); ++j) *to += from[j];
        }
      }
    };
    if (every_row) parallel_for(queries(), 16, rows);
    else rows(0, queries());
  }
};

}  // namespace fovea::kernels
