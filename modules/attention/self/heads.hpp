// Channels of tokens dealt out to heads, and back.
#pragma once

#include "modules/ops/permute.hpp"
#include "modules/ops/reshape.hpp"

namespace fovea {

// N x L x C -> N x heads x L x C/heads.
inline Var split_heads(const Var& x, std::int64_t heads) {
  return permute(reshape(x, {x.dim(0), x.dim(1), heads, x.dim(2) / heads}), {0, 2, 1, 3});
}

// N x heads x L x D -> N x L x heads*D.
inline Var merge_heads(const Var& x) { return reshape(permute(x, {0, 2, 1, 3}), {x.dim(0), x.dim(2), x.dim(1) * x.dim(3)}); }

}  // namespace fovea
