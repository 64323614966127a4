#include "modules/plan/kernels/planes.hpp"

#include <algorithm>

#include "modules/core/threads.hpp"
#include "modules/ops/kernels/lanes.hpp"

namespace fovea::plan {
namespace {

using L = kernels::Lanes16;
constexpr std::int64_t kSums = 4;  // vectors of results whose sums stay in registers: of one row, or of several narrow ones

// Results of `Rows` rows, Vectors side by side; what lies behind a row's end is computed on padding and thrown away.
template <int Rows, int Vectors>
FOVEA_INLINE void results(const Planes& p, const float* padded, const float* w, float bias, float* y, std::int64_t from) {
  const std::int64_t rows = p.height + p.kernel_rows - 1, row = p.row();
  L::Floats sum[Rows * Vectors], v;
  for (L::Floats& s : sum) s = L::Floats{} + bias;
  for (std::int64_t k = 0; k < p.planes; ++k)
    for (std::int64_t i = 0; i < p.kernel_rows; ++i)
      for (std::int64_t j = 0; j < p.kernel_columns; ++j, ++w) {
        const float* x = padded + (k * rows + i) * row + from + j;
        for (int r = 0; r < Rows; ++r)
          for (int m = 0; m < Vectors; ++m) {
            L::load(v, x + r * row + m * L::count);
            sum[r * Vectors + m] += v * *w;
          }
      }
  float out[Vectors * L::count];
  for (int r = 0; r < Rows; ++r) {
    for (int m = 0; m < Vectors; ++m) L::store(out + m * L::count, sum[r * Vectors + m]);
    std::copy_n(out, std::min<std::int64_t>(Vectors * L::count, p.out_width - from), y + r * p.out_width + from);
  }
}

template <int Rows, int Vectors>
FOVEA_INLINE void band(const Planes& p, const float* padded, const float* w, float bias, float* y, std::int64_t rows) {
  std::int64_t r = 0;
  for (; r + Rows <= rows; r += Rows)
    for (std::int64_t from = 0; from < p.out_width; from += Vectors * L::count)
      results<Rows, Vectors>(p, padded + r * p.row(), w, bias, y + r * p.out_width, from);
  for (; r < rows; ++r)
    for (std::int64_t from = 0; from < p.out_width; from += Vectors * L::count)
      results<1, Vectors>(p, padded + r * p.row(), w, bias, y + r * p.out_width, from);
}

// `rows` rows of results.
FOVEA_SIMD void convolve_rows(const Planes& p, const float* padded, const float* w, float bias, float* y, std::int64_t rows) {
  if (p.out_width <= L::count) band<4, 1>(p, padded, w, bias, y, rows);
  else if (p.out_width <= 2 * L::count) band<2, 2>(p, padded, w, bias, y, rows);
  else band<1, 4>(p, padded, w, bias, y, rows);
}

// Row `r` of a sample's padded planes, one plane behind the other.
void spread_row(const Planes& p, std::int64_t r, const float* x, float* padded) {
  const std::int64_t rows = p.height + p.kernel_rows - 1, from = r - p.pad[0];
  for (std::int64_t k = 0; k < p.planes; ++k) {
    float* to = padded + (k * rows + r) * p.row();
    std::fill_n(to, p.row(), 0.0f);
    if (from < 0 || from >= p.height) continue;
    const float* source = x + from * p.width * p.planes + k;
    for (std::int64_t i = 0; i < p.width; ++i) to[p.pad[1] + i] = source[i * p.planes];
  }
}

}  // namespace

bool Planes::fits(const dnn::Conv& c, const Shape& x, const Shape& w) {
  const bool same = c.pad_begin[0] + c.pad_end[0] == w[2] - 1 && c.pad_begin[1] + c.pad_end[1] == w[3] - 1;
  return !c.transposed && c.groups == 1 && w[0] == 1 && x[1] <= 4 && same && c.stride == std::array<std::int64_t, 2>{1, 1} &&
         c.dilation == std::array<std::int64_t, 2>{1, 1};
}

Planes::Planes(const dnn::Conv& c, const Shape& x, const Shape& w, const Shape& y)
    : samples(x[0]),
      planes(x[1]),
      height(x[2]),
      width(x[3]),
      kernel_rows(w[2]),
      kernel_columns(w[3]),
      pad(c.pad_begin),
      out_height(y[2]),
      out_width(y[3]) {}

std::int64_t Planes::row() const {
  const std::int64_t wide = out_width <= L::count ? L::count : out_width <= 2 * L::count ? 2 * L::count : kSums * L::count;
  return (out_width + wide - 1) / wide * wide + kernel_columns;
}
std::int64_t Planes::workspace() const { return samples * planes * (height + kernel_rows - 1) * row(); }

void convolve_planes(const Planes& p, const float* x, const float* w, const float* bias, float* y, float* workspace) {
  const std::int64_t rows = p.height + p.kernel_rows - 1, sample = p.planes * rows * p.row();
  const std::int64_t grain = std::max<std::int64_t>(1, 16384 / (p.planes * p.row()));
  parallel_for(p.samples * rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      spread_row(p, i % rows, x + i / rows * p.planes * p.height * p.width, workspace + i / rows * sample);
  });
  // Bands of rows: the split is fixed by the shape.
  const std::int64_t band = std::max<std::int64_t>(kSums, grain / kSums * kSums), bands = (p.out_height + band - 1) / band;
  parallel_blocks(p.samples * bands, [&](std::int64_t i) {
    const std::int64_t sample_of = i / bands, r = i % bands * band;
    convolve_rows(p, workspace + sample_of * sample + r * p.row(), w, bias ? *bias : 0.0f,
                  y + (sample_of * p.out_height + r) * p.out_width, std::min(band, p.out_height - r));
  });
}

}  // namespace fovea::plan
