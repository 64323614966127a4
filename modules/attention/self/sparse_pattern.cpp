#include "modules/attention/self/sparse_pattern.hpp"

#include <algorithm>
#include <cstdlib>

namespace fovea {

void SparsePattern::check_options() const {
  check(!kinds.empty(), "sparse_attention: expected at least one pattern");
  for (const std::string& kind : kinds)
    check(kind == "all" || kind == "local" || kind == "strided" || kind == "fixed",
          "sparse_attention: expected a pattern all, local, strided or fixed, got '", kind, "'");
  check(context > 0, "sparse_attention: expected context >= 1, got ", context);
  check(stride > 0, "sparse_attention: expected stride >= 1, got ", stride);
  const bool summaries = std::find(kinds.begin(), kinds.end(), "fixed") != kinds.end();
  check(!summaries || (expressivity >= 0 && expressivity <= stride), "sparse_attention: expected expressivity from 0 to the stride ", stride,
        ", got ", expressivity);
}

bool SparsePattern::sees(const std::string& kind, std::int64_t i, std::int64_t j) const {
  if (!bidirectional && j > i) return false;
  if (kind == "all") return true;
  if (kind == "local") return std::abs(i - j) < context;
  if (kind == "strided") return (i - j) % stride == 0;
  const std::int64_t window = i == 0 ? 0 : (i - 1) / stride * stride;
  if (j >= window && j <= window + stride) return true;
  const std::int64_t behind = j % stride;  // summaries end on a multiple of the stride
  return (j > 0 && behind == 0) || stride - behind <= expressivity;
}

Tensor SparsePattern::hidden(std::int64_t heads, std::int64_t length) const {
  const auto distinct = kinds.size() == 1 ? 1 : heads;
  Tensor hidden = Tensor::empty({1, distinct, length, length}, DType::boolean);
  auto* out = static_cast<std::uint8_t*>(hidden.raw());
  for (std::int64_t h = 0; h < distinct; ++h) {
    const std::string& kind = kinds[static_cast<std::size_t>(h) % kinds.size()];
    for (std::int64_t i = 0; i < length; ++i)
      for (std::int64_t j = 0; j < length; ++j) *out++ = sees(kind, i, j) ? 0 : 1;
  }
  return hidden;
}

}  // namespace fovea
