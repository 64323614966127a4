// What the forward and the backward pass of attention share: packing of rows into tiles, the scores of a tile with bias and masks.
#pragma once

#include <algorithm>
#include <limits>

#include "modules/core/math.hpp"
#include "modules/core/tensor.hpp"
#include "modules/ops/kernels/tile_product.hpp"
#include "modules/ops/key_pattern.hpp"

namespace fovea::kernels {

constexpr std::int64_t kQueryTile = 96, kKeyTile = 192;  // scores of a tile: 72 KB in f32

// Rows of one head: element (i, j) at data + i row + j column, of any computing type.
struct Rows {
  const void* data;
  DType type;
  std::int64_t row, column, width;
};

// All heads of q, k or v: N x h x L x d, any strides.
struct Heads {
  const void* data;
  DType type;
  Shape shape, strides;
  std::int64_t dim(int i) const { return shape[i]; }
};
inline Heads heads_of(const Tensor& t) { return {t.raw(), t.dtype(), t.shape(), t.strides()}; }

inline Rows rows_of(const Heads& t, std::int64_t n, std::int64_t h) {
  const auto offset = (n * t.strides[0] + h * t.strides[1]) * static_cast<std::int64_t>(size_of(t.type));
  return {static_cast<const char*>(t.data) + offset, t.type, t.strides[2], t.strides[3], t.shape[3]};
}
inline Rows rows_of(const Tensor& t, std::int64_t n, std::int64_t h) {
  const auto offset = (n * t.strides()[0] + h * t.strides()[1]) * static_cast<std::int64_t>(size_of(t.dtype()));
  return {static_cast<const char*>(t.raw()) + offset, t.dtype(), t.strides()[2], t.strides()[3], t.dim(3)};
}

template <class T, class C>
FOVEA_SIMD void pack_line(C* to, const T* from, std::int64_t step, std::int64_t n, C factor) {
  if (step == 1)
    for (std::int64_t j = 0; j < n; ++j) to[j] = static_cast<C>(from[j]) * factor;
  else
    for (std::int64_t j = 0; j < n; ++j) to[j] = static_cast<C>(from[j * step]) * factor;
}

// Rows first .. first + count, times `factor`, as a dense count x width block; rows up to `padded` are zero.
template <class C>
void pack_rows(C* to, const Rows& from, std::int64_t first, std::int64_t count, std::int64_t padded, double factor = 1) {
  dispatch_compute(from.type, "attention", [&](auto zero) {
    using T = decltype(zero);
    const T* data = static_cast<const T*>(from.data);
    for (std::int64_t i = 0; i < count; ++i)
      pack_line(to + i * from.width, data + (first + i) * from.row, from.column, from.width, static_cast<C>(factor));
  });
  std::fill(to + count * from.width, to + padded * from.width, C(0));
}

// The same rows as the panels of a right-hand side count x width; columns beyond the width are zero.
template <class C>
void pack_panels(C* to, const Rows& from, std::int64_t first, std::int64_t count) {
  dispatch_compute(from.type, "attention", [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t p = 0; p < from.width; p += kPanel) {
      const std::int64_t n = std::min(kPanel, from.width - p);
      for (std::int64_t i = 0; i < count; ++i, to += kPanel) {
        const T* line = static_cast<const T*>(from.data) + (first + i) * from.row + p * from.column;
        pack_line(to, line, from.column, n, C(1));
        std::fill(to + n, to + kPanel, C(0));
      }
    }
  });
}

// Their transpose, width x count, as panels; columns beyond the count are zero.
template <class C>
void pack_transposed(C* to, const Rows& from, std::int64_t first, std::int64_t count) {
  dispatch_compute(from.type, "attention", [&](auto zero) {
    using T = decltype(zero);
    const T* data = static_cast<const T*>(from.data) + first * from.row;
    for (std::int64_t p = 0; p < count; p += kPanel, to += kPanel * from.width)
      for (std::int64_t i = 0; i < kPanel; ++i)
        for (std::int64_t j = 0; j < from.width; ++j)
          to[j * kPanel + i] = p + i < count ? static_cast<C>(data[(p + i) * from.row + j * from.column]) : C(0);
  });
}

// Part of the scores of one head: rows (queries) from `row` on, columns (keys) from `column` on.
struct ScoreTile {
  std::int64_t n, h, row, rows, column, columns;
};

// Mask and bias as views of M x h x Lq x Lk; sample n takes n mod M. Floating ones are in the type C already.
struct Extras {
  Tensor mask, bias;
  const KeyPattern* pattern = nullptr;
  bool causal = false;
  double masked = 0;

  // Whether all of a tile is forbidden and so without weight: where that is what -inf says.
  bool skips(const ScoreTile& at) const {
    if (masked != -std::numeric_limits<double>::infinity()) return false;
    return (causal && at.column > at.row + at.rows - 1) ||
           (pattern && !pattern->touches(at.h, {at.row, at.rows}, {at.column, at.columns}));
  }
};

template <class T>
const T* line_of(const Tensor& t, std::int64_t n, std::int64_t h, std::int64_t i) {
  return t.data<T>() + n % t.dim(0) * t.strides()[0] + h * t.strides()[1] + i * t.strides()[2];
}

template <class C>
FOVEA_SIMD void add_line(C* s, const C* from, std::int64_t step, std::int64_t n) {
  if (step == 1)
    for (std::int64_t j = 0; j < n; ++j) s[j] += from[j];
  else
    for (std::int64_t j = 0; j < n; ++j) s[j] += from[j * step];
}

template <class C>
FOVEA_SIMD void forbid_line(C* s, const bool* allowed, std::int64_t step, std::int64_t n, C value) {
  for (std::int64_t j = 0; j < n; ++j) s[j] = allowed[j * step] ? s[j] : value;
}

// What pattern and causality hide of one row becomes `value`; a few columns at a time, for the explicit weights have long rows.
template <class C>
void hide_line(C* s, const Extras& x, const ScoreTile& at, std::int64_t row, C value) {
  bool seen[kKeyTile];
  for (std::int64_t j = 0; x.pattern && j < at.columns; j += kKeyTile) {
    const std::int64_t count = std::min(kKeyTile, at.columns - j);
    x.pattern->look(at.h, row, {at.column + j, count}, seen);
    forbid_line(s + j, seen, 1, count, value);
  }
  if (x.causal)
    for (std::int64_t j = std::max<std::int64_t>(0, row + 1 - at.column); j < at.columns; ++j) s[j] = value;
}

// Bias and masks over the rows x columns scores at s, lines ld apart.
template <class C>
void finish_scores(C* s, std::int64_t ld, const Extras& x, const ScoreTile& at) {
  for (std::int64_t r = 0; r < at.rows; ++r, s += ld) {
    const std::int64_t i = at.row + r;
    if (x.bias.defined()) {
      const std::int64_t step = x.bias.strides()[3];
      add_line(s, line_of<C>(x.bias, at.n, at.h, i) + at.column * step, step, at.columns);
    }
    if (x.mask.defined()) {
      const std::int64_t step = x.mask.strides()[3];
      if (x.mask.dtype() == DType::boolean)
        forbid_line(s, line_of<bool>(x.mask, at.n, at.h, i) + at.column * step, step, at.columns, static_cast<C>(x.masked));
      else add_line(s, line_of<C>(x.mask, at.n, at.h, i) + at.column * step, step, at.columns);
    }
    hide_line(s, x, at, i, static_cast<C>(x.masked));
  }
}

// No gradient goes through scores that were replaced.
template <class C>
void clear_forbidden(C* s, std::int64_t ld, const Extras& x, const ScoreTile& at) {
  const bool boolean = x.mask.defined() && x.mask.dtype() == DType::boolean;
  for (std::int64_t r = 0; (boolean || x.causal || x.pattern) && r < at.rows; ++r, s += ld) {
    const std::int64_t i = at.row + r;
    if (boolean) {
      const std::int64_t step = x.mask.strides()[3];
      forbid_line(s, line_of<bool>(x.mask, at.n, at.h, i) + at.column * step, step, at.columns, C(0));
    }
    hide_line(s, x, at, i, C(0));
  }
}

}  // namespace fovea::kernels
