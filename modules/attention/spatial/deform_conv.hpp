// Deformable convolution with the convolution that makes its offsets. See deform_conv.cpp.
#pragma once

#include "modules/nn/block.hpp"
#include "modules/ops/deform_conv2d.hpp"

namespace fovea {

struct DeformConvOptions {
  std::int64_t in = 0, out = 0;
  std::array<std::int64_t, 2> kernel{3, 3};
  DeformOptions conv;
  bool bias = false, modulated = false;
};

// Reads out, kernel, stride, pad, dilation, groups, deform_groups, bias and border.
DeformConvOptions read_deform_options(std::int64_t channels, Args& args, bool bias);

// Parameters weight and bias; initial values uniform in +-1/sqrt(I kh kw), bias 0.
struct DeformKernel {
  DeformKernel(const Scope& scope, const DeformConvOptions& o);
  Var operator()(const Var& x, const Var& offset, const Var& mask) const {
    return deform_conv2d(x, offset, mask, weight, bias, options);
  }
  Var weight, bias;
  DeformOptions options;
};

}  // namespace fovea
