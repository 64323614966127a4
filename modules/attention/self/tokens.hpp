// Maps seen as tokens and back. A channels-last map is its own tokens: nothing is copied.
#pragma once

#include "modules/ops/permute.hpp"
#include "modules/ops/reshape.hpp"

namespace fovea {

// N x C x H x W -> N x HW x C.
inline Var to_tokens(const Var& map) {
  return reshape(permute(map, {0, 2, 3, 1}), {map.dim(0), map.dim(2) * map.dim(3), map.dim(1)});
}

// N x HW x C -> N x C x H x W.
inline Var to_map(const Var& tokens, std::int64_t height, std::int64_t width) {
  return permute(reshape(tokens, {tokens.dim(0), height, width, tokens.dim(2)}), {0, 3, 1, 2});
}

// N x L x (h d) -> N x h x L x d.
inline Var split_heads(const Var& tokens, std::int64_t heads) {
  return permute(reshape(tokens, {tokens.dim(0), tokens.dim(1), heads, tokens.dim(2) / heads}), {0, 2, 1, 3});
}

// N x h x L x d -> N x L x (h d).
inline Var join_heads(const Var& heads) {
  return reshape(permute(heads, {0, 2, 1, 3}), {heads.dim(0), heads.dim(2), heads.dim(1) * heads.dim(3)});
}

// The last two axes swap.
inline Var transposed(const Var& x) {
  Shape order;
  for (int i = 0; i < x.shape().rank(); ++i) order.push_back(i);
  std::swap(order[order.rank() - 1], order[order.rank() - 2]);
  return permute(x, order);
}

}  // namespace fovea
