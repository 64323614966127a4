#include "modules/attention/channel/selective.hpp"

#include "modules/ops/binary.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/softmax.hpp"

namespace fovea {

Var select(const Vars& paths, const std::function<Var(const Var&)>& attend, const std::function<Var(const Var&)>& tap) {
  const std::int64_t n = paths[0].dim(0), c = paths[0].dim(1), m = static_cast<std::int64_t>(paths.size());
  // The mean of the sum is the sum of the means: the sum itself is never stored.
  Var pooled = global_avg_pool(paths[0]);
  for (std::size_t i = 1; i < paths.size(); ++i) pooled = pooled + global_avg_pool(paths[i]);
  const Var weights = tap(softmax(reshape(attend(pooled), {n, m, c}), 1));
  Var y;
  for (std::int64_t i = 0; i < m; ++i) {
    const Var part = paths[static_cast<std::size_t>(i)] * reshape(slice(weights, 1, i, i + 1), {n, c, 1, 1});
    y = i ? y + part : part;
  }
  return y;
}

}  // namespace fovea
