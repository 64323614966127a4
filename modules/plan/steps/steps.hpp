// The steps of a plan, one kind in each file. A factory takes the problem of a kernel and where its operands lie.
#pragma once

#include <memory>

#include "modules/plan/kernels/axis_reduce.hpp"
#include "modules/plan/kernels/elementwise.hpp"
#include "modules/plan/kernels/gemv.hpp"
#include "modules/plan/kernels/single_output_conv.hpp"
#include "modules/plan/kernels/winograd.hpp"
#include "modules/plan/step.hpp"

namespace fovea::plan {

struct ConvolveParts {
  std::shared_ptr<const dnn::PreparedConv> made;
  std::size_t call;  // index of its Call in a Run
  BufferRef x = {}, weight = {}, bias = {}, residual = {}, y = {}, scratchpad = {};
  ElementwiseKernel after = {};  // what oneDNN does not fuse, run on y; its operand 1 is the residual
};
std::unique_ptr<Step> convolve_step(ConvolveParts parts);

struct SingleOutputConvParts {
  SingleOutputConv problem;
  BufferRef x = {}, weight = {}, bias = {}, y = {}, workspace = {};
  std::optional<role::Pointwise> after = {};
};
std::unique_ptr<Step> single_output_conv_step(SingleOutputConvParts parts);

struct WinogradParts {
  Winograd problem;
  BufferRef x = {}, weight = {}, bias = {}, residual = {}, y = {}, workspace = {};
  std::optional<role::Pointwise> after = {};
};
std::unique_ptr<Step> winograd_step(WinogradParts parts);

struct GemvParts {
  Gemv problem;
  BufferRef x = {}, weight = {}, bias = {}, residual = {}, y = {};
  std::optional<role::Pointwise> after = {};
};
std::unique_ptr<Step> gemv_step(GemvParts parts);

// inputs: x and the operands, in the order of the node's inputs.
std::unique_ptr<Step> elementwise_step(ElementwiseKernel kernel, std::vector<BufferRef> inputs, BufferRef y);
std::unique_ptr<Step> global_reduce_step(BufferRef x, BufferRef mean, BufferRef maximum, BufferRef workspace);
std::unique_ptr<Step> channel_reduce_step(ElementwiseKernel before, std::vector<BufferRef> inputs, BufferRef y, bool mean_first);
std::unique_ptr<Step> axis_reduce_step(AxisReduceKernel kernel, BufferRef x, std::vector<BufferRef> outputs, BufferRef workspace);
std::unique_ptr<Step> pool2d_step(const role::Pool2d& pool, BufferRef x, BufferRef y);
std::unique_ptr<Step> strided_copy_step(std::vector<Copy::Piece> pieces, std::vector<BufferRef> inputs, BufferRef y);
std::unique_ptr<Step> compute_step(Compute work, std::string name, std::vector<BufferRef> inputs, std::vector<BufferRef> outputs,
                                   BufferRef workspace);
std::unique_ptr<Step> eager_step(std::shared_ptr<const Op> op, std::string path, std::vector<BufferRef> inputs,
                                 std::vector<BufferRef> outputs);

// Elements of workspace for the global reduction of a map.
std::int64_t global_reduce_workspace(const Shape& x);

// The addresses of the inputs of an elementwise kernel during a run.
class Operands {
 public:
  Operands(Run& r, const std::vector<BufferRef>& inputs) {
    for (std::size_t i = 0; i < inputs.size(); ++i) pointers_[i] = r.source(inputs[i]);
  }
  const void* const* data() const { return pointers_.data(); }
  const void* operator[](std::size_t i) const { return pointers_[i]; }

 private:
  std::array<const void*, kMaxOperands> pointers_{};  // on the stack: a run allocates nothing
};

}  // namespace fovea::plan
