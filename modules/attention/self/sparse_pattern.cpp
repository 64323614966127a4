#include "modules/attention/self/sparse_pattern.hpp"

#include <algorithm>
#include <memory>

namespace fovea {

void SparsePattern::check_options() const {
  check(!kinds.empty(), "sparse_attention: expected at least one pattern");
  for (const std::string& kind : kinds)
    check(kind == "all" || kind == "local" || kind == "strided" || kind == "fixed",
          "sparse_attention: expected a pattern all, local, strided or fixed, got '", kind, "'");
  check(context > 0, "sparse_attention: expected context >= 1, got ", context);
  check(stride > 0, "sparse_attention: expected stride >= 1, got ", stride);
  const bool summaries = std::find(kinds.begin(), kinds.end(), "fixed") != kinds.end();
  check(!summaries || (expressivity >= 0 && expressivity <= stride),
        "sparse_attention: expected expressivity from 0 to the stride ", stride, ", got ", expressivity);
}

namespace {

using Range = KeyPattern::Range;

// The keys first .. last, both in, are seen.
void show(Range columns, bool* seen, std::int64_t first, std::int64_t last) {
  const std::int64_t begin = std::max(first, columns.first), end = std::min(last, columns.last()) + 1;
  if (begin < end) std::fill(seen + (begin - columns.first), seen + (end - columns.first), true);
}

std::int64_t floor_to(std::int64_t n, std::int64_t step) { return (n - (n % step + step) % step); }

// Where the window of query i begins.
std::int64_t window_of(std::int64_t i, std::int64_t stride) { return i == 0 ? 0 : floor_to(i - 1, stride); }

}  // namespace

bool SparsePattern::touches(std::int64_t head, Range rows, Range columns) const {
  if (!bidirectional && columns.first > rows.last()) return false;
  const std::string& k = kind(head);
  if (k == "all") return true;
  if (k == "local") return columns.first < rows.last() + context && columns.last() > rows.first - context;
  // A multiple of the stride among the differences i - j.
  if (k == "strided") return floor_to(rows.last() - columns.first, stride) >= rows.first - columns.last();
  // A summary, which ends on a multiple of the stride, or a window.
  const std::int64_t end = floor_to(columns.first + stride - 1, stride), from = std::max(end, stride);
  if (from - expressivity <= columns.last()) return true;
  return columns.first <= window_of(rows.last(), stride) + stride && columns.last() >= window_of(rows.first, stride);
}

void SparsePattern::look(std::int64_t head, std::int64_t row, Range columns, bool* seen) const {
  const std::string& k = kind(head);
  std::fill(seen, seen + columns.count, k == "all");
  if (k == "local") show(columns, seen, row - context + 1, row + context - 1);
  if (k == "strided")
    for (std::int64_t j = row - floor_to(row - columns.first, stride); j <= columns.last(); j += stride)
      show(columns, seen, j, j);
  if (k == "fixed") {
    const std::int64_t window = window_of(row, stride), end = floor_to(columns.first + stride - 1, stride);
    show(columns, seen, window, window + stride);
    for (std::int64_t j = std::max(end, stride); j - expressivity <= columns.last(); j += stride)
      show(columns, seen, j - expressivity, j);
  }
  const std::int64_t behind = std::max<std::int64_t>(0, row + 1 - columns.first);  // the first that comes after the query
  if (!bidirectional && behind < columns.count) std::fill(seen + behind, seen + columns.count, false);
}

Tensor SparsePattern::picture(std::int64_t heads, std::int64_t length) const {
  const auto distinct = kinds.size() == 1 ? 1 : heads;
  Tensor picture = Tensor::zeros({1, distinct, length, length});
  const std::unique_ptr<bool[]> seen(new bool[static_cast<std::size_t>(length)]);
  for (std::int64_t h = 0; h < distinct; ++h)
    for (std::int64_t i = 0; i < length; ++i) {
      look(h, i, {0, length}, seen.get());
      std::copy(seen.get(), seen.get() + length, picture.data<float>() + (h * length + i) * length);
    }
  return picture;
}

}  // namespace fovea
