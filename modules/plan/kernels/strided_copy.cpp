#include "modules/plan/kernels/strided_copy.hpp"

#include <algorithm>
#include <cstring>

#include "modules/core/simd.hpp"
#include "modules/core/threads.hpp"

namespace fovea::plan {
namespace {

constexpr std::int64_t kGrain = 16384;  // elements that a further thread is worth
constexpr std::int64_t kBlock = 16;     // side of the blocks in which two axes are transposed

// Two dimensions of a copy; the result is contiguous along the columns unless `write` says otherwise.
struct Plane {
  std::int64_t rows, read_row, write_row, columns, read, write;
};

FOVEA_SIMD void copy_rows(const Plane& p, const float* __restrict x, float* __restrict y) {
  for (std::int64_t r = 0; r < p.rows; ++r, x += p.read_row, y += p.write_row) {
    if (p.columns >= 64) std::memcpy(y, x, static_cast<std::size_t>(p.columns) * sizeof(float));
    else
      for (std::int64_t i = 0; i < p.columns; ++i) y[i] = x[i];
  }
}

FOVEA_SIMD void copy_strided(const Plane& p, const float* __restrict x, float* __restrict y) {
  for (std::int64_t r = 0; r < p.rows; ++r, x += p.read_row, y += p.write_row)
    for (std::int64_t i = 0; i < p.columns; ++i) y[i * p.write] = x[i * p.read];
}

// x is contiguous along the rows, y along the columns.
FOVEA_SIMD void transpose(const Plane& p, const float* __restrict x, float* __restrict y) {
  for (std::int64_t i = 0; i < p.columns; i += kBlock) {
    const std::int64_t columns = std::min(kBlock, p.columns - i);
    std::int64_t r = 0;
    for (; r + kBlock <= p.rows && columns == kBlock; r += kBlock) {
      float block[kBlock][kBlock];
      for (std::int64_t k = 0; k < kBlock; ++k) std::memcpy(block[k], x + (i + k) * p.read + r, sizeof block[k]);
      for (std::int64_t j = 0; j < kBlock; ++j)
        for (std::int64_t k = 0; k < kBlock; ++k) y[(r + j) * p.write_row + i + k] = block[k][j];
    }
    for (; r < p.rows; ++r)
      for (std::int64_t k = i; k < i + columns; ++k) y[r * p.write_row + k] = x[k * p.read + r];
  }
}

void copy_plane(const Plane& p, const float* x, float* y) {
  if (p.read == 1 && p.write == 1) copy_rows(p, x, y);
  else if (p.read_row == 1 && p.write == 1 && p.rows > 1) transpose(p, x, y);
  else copy_strided(p, x, y);
}

// The dimension that becomes the rows of a plane: the one along which x is contiguous, else the last but one.
std::size_t row_dimension(const std::vector<StridedCopy::Dim>& dims) {
  const std::size_t last = dims.size() - 1;
  for (std::size_t i = last; i-- > 0;)
    if (dims[last].read != 1 && dims[i].read == 1) return i;
  return last - 1;
}

// A copy as planes, each cut into pieces along its rows, or along its columns where it has one row: threads share the pieces.
struct Pieces {
  const StridedCopy& c;
  std::size_t last, row;
  Plane plane;
  bool by_rows;
  std::int64_t whole, piece, count, planes;

  explicit Pieces(const StridedCopy& copy) : c(copy), last(c.dims.size() - 1), row(last) {
    plane = {1, 0, 0, c.dims[last].size, c.dims[last].read, c.dims[last].write};
    if (last > 0) {
      row = row_dimension(c.dims);
      plane.rows = c.dims[row].size, plane.read_row = c.dims[row].read, plane.write_row = c.dims[row].write;
    }
    by_rows = plane.rows > 1;
    whole = by_rows ? plane.rows : plane.columns;
    piece = std::clamp<std::int64_t>(kGrain * whole / (plane.rows * plane.columns) / kBlock * kBlock, kBlock,
                                     std::max(kBlock, whole));
    count = (whole + piece - 1) / piece;
    planes = c.elements() / (plane.rows * plane.columns);
  }
  std::int64_t jobs() const { return planes * count; }
  std::int64_t elements() const { return std::min(piece, whole) * (plane.rows * plane.columns / whole); }

  void run(std::int64_t job, const float* x, float* y) const {
    const std::int64_t first = job % count * piece;
    x += first * (by_rows ? plane.read_row : plane.read), y += first * (by_rows ? plane.write_row : plane.write);
    std::int64_t rest = job / count;
    for (std::size_t d = c.dims.size(); d-- > 0;) {
      if (d == last || d == row) continue;
      x += rest % c.dims[d].size * c.dims[d].read, y += rest % c.dims[d].size * c.dims[d].write;
      rest /= c.dims[d].size;
    }
    Plane part = plane;
    (by_rows ? part.rows : part.columns) = std::min(piece, whole - first);
    copy_plane(part, x, y);
  }
};

}  // namespace

void strided_copy(const StridedCopy& c, const float* x, float* y) {
  x += c.from, y += c.to;
  if (c.dims.empty()) return void(*y = *x);
  const Pieces pieces(c);
  parallel_for(pieces.jobs(), std::max<std::int64_t>(1, kGrain / pieces.elements()), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t job = begin; job < end; ++job) pieces.run(job, x, y);
  });
}

}  // namespace fovea::plan
