// softmax over what a mask keeps, as allennlp's: forbidden scores are 0 inside the softmax, and the allowed probabilities are
// divided by their sum + 1e-13. A row of which nothing is kept is 0.
#pragma once

#include "modules/ops/binary.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"
#include "modules/ops/where.hpp"

namespace fovea {

inline constexpr double kTinyWeight = 1e-13;

// Over the last axis; keep: booleans that repeat to the scores (true: keep), or undefined for all.
inline Var masked_softmax(const Var& scores, const Var& keep) {
  if (!keep.defined()) return softmax(scores, -1);
  const Var nothing = scale(scores, 0);
  const Var p = where(keep, softmax(where(keep, scores, nothing), -1), nothing);
  return p / scale(sum(p, {-1}), 1, kTinyWeight);
}

}  // namespace fovea
