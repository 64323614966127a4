// Which keys a query sees under sparse attention. Child et al. 2019, arXiv:1904.10509. For query i and key j:
//   all      every j
//   local    |i - j| < context
//   strided  (i - j) mod stride = 0
//   fixed    j in the window of i, or among the last `expressivity` columns of any window and the one behind them. Windows are
//            [w, w + stride], both ends in, w the multiple of the stride at or below i; a query on a multiple of the stride, 0
//            apart, gets the window before it (as fairseq has it).
// One-directional patterns keep j <= i only.
#pragma once

#include <string>
#include <vector>

#include "modules/core/tensor.hpp"
#include "modules/ops/key_pattern.hpp"

namespace fovea {

struct SparsePattern final : KeyPattern {
  std::vector<std::string> kinds;  // dealt out to the heads in turn
  std::int64_t context = 32, stride = 32, expressivity = 8;
  bool bidirectional = true;

  // Error with the options' names where one makes no sense.
  void check_options() const;
  bool touches(std::int64_t head, Range rows, Range columns) const override;
  void look(std::int64_t head, std::int64_t row, Range columns, bool* seen) const override;
  // 1 where a query looks, else 0: 1 x 1 x L x L, or 1 x heads x L x L where heads differ.
  Tensor picture(std::int64_t heads, std::int64_t length) const;

 private:
  const std::string& kind(std::int64_t head) const { return kinds[static_cast<std::size_t>(head) % kinds.size()]; }
};

}  // namespace fovea
