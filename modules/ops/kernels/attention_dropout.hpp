// Dropout of weights that are never held: weight (n, h, i, j) takes the draw that the dropout op would give it in N x h x Lq x Lk, so that
// tiles, both passes and the explicit form agree, whatever the threads.
#pragma once

#include "modules/core/random.hpp"
#include "modules/ops/kernels/attention_tiles.hpp"

namespace fovea::kernels {

struct WeightDrops {
  double probability = 0;
  Random::State start;
  Shape scores;

  bool active() const { return probability > 0; }

  // Of row `row` of the tile at s: zeros for what is dropped, the rest scaled up.
  template <class C>
  void line(C* s, const ScoreTile& at, std::int64_t row) const {
    const std::int64_t first = ((at.n * scores[1] + at.h) * scores[2] + row) * scores[3] + at.column;
    Random draws;
    draws.restore({start.seed, start.stream, start.drawn + static_cast<std::uint64_t>(first)});
    const double limit = probability * 4294967296.0;
    const C factor = static_cast<C>(1 / (1 - probability));
    for (std::int64_t j = 0; j < at.columns; ++j) s[j] = static_cast<double>(draws.next()) >= limit ? s[j] * factor : C(0);
  }
};

}  // namespace fovea::kernels
