// Layers that are scalar products: of few positions (a gate's layers behind global pooling), or to one output (a gate for positions). oneDNN
// makes a matrix product of each: 64 -> 4 on one position takes it 5 us, this kernel less than one.
#pragma once

#include <cstdint>
#include <optional>

#include "modules/autograd/lowering.hpp"

namespace fovea::plan {

struct Dots {
  std::int64_t positions, in, out;
  static bool fits(std::int64_t positions, std::int64_t in, std::int64_t out);
};

// y[p][o] = after(bias[o] + sum over i of w[o][i] x[p][i] + residual[p][o]); bias and residual may be null, y may be the residual.
struct DotArguments {
  const float *x, *w, *bias, *residual;
  float* y;
  std::optional<role::Pointwise> after;
};
void dot_products(const Dots& d, const DotArguments& a);

}  // namespace fovea::plan
