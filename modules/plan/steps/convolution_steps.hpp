// The steps of convolutions, one algorithm in each file. A factory takes the problem of a kernel and where its operands lie.
#pragma once

#include "modules/plan/kernels/elementwise.hpp"
#include "modules/plan/kernels/gemv.hpp"
#include "modules/plan/kernels/single_output_conv.hpp"
#include "modules/plan/kernels/winograd.hpp"
#include "modules/plan/step.hpp"

namespace fovea::plan {

struct ConvolutionBuffers {  // bias and residual may be absent; the weight as the kernel reads it
  BufferRef x, weight, bias, residual, y, workspace;
};

// With oneDNN. call: index of its Call in a Run; after: what oneDNN does not fuse, run on y, with the residual as operand 1.
std::unique_ptr<Step> direct_step(std::shared_ptr<const dnn::PreparedConv> conv, std::size_t call, ElementwiseKernel after,
                                  ConvolutionBuffers buffers);
// Without a residual.
std::unique_ptr<Step> single_output_conv_step(const SingleOutputConv& problem, std::optional<role::Pointwise> after,
                                              ConvolutionBuffers buffers);
std::unique_ptr<Step> winograd_step(const Winograd& problem, std::optional<role::Pointwise> after, ConvolutionBuffers buffers);
std::unique_ptr<Step> gemv_step(const Gemv& problem, std::optional<role::Pointwise> after, ConvolutionBuffers buffers);

}  // namespace fovea::plan
