// Matrix-vector products, for linear layers and 1x1 convolutions of few positions (the layers of a gate behind global pooling) or of one
// output (a gate over positions). oneDNN computes them as matrix products: 64 -> 4 on one position takes 5 us there and less than 1 us here.
#pragma once

#include <cstdint>
#include <optional>

#include "modules/autograd/lowering.hpp"

namespace fovea::plan {

struct Gemv {
  std::int64_t positions, in, out;
  // One position, one output, or at most 4 positions of a weight of at most 65536 elements.
  static bool fits(std::int64_t positions, std::int64_t in, std::int64_t out);
};

// y[p][o] = after(bias[o] + sum over i of w[o][i] x[p][i] + residual[p][o]). x: positions x in, w: out x in, bias: out, residual and y:
// positions x out, all dense. bias and residual may be null, y may be the residual.
struct GemvArguments {
  const float *x, *w, *bias, *residual;
  float* y;
  std::optional<role::Pointwise> after;
};
void gemv(const Gemv& g, const GemvArguments& a);

}  // namespace fovea::plan
