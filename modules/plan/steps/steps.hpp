// The steps of a plan, one kind a file.
#pragma once

#include <memory>

#include "modules/plan/kernels/chain.hpp"
#include "modules/plan/kernels/dots.hpp"
#include "modules/plan/kernels/lines.hpp"
#include "modules/plan/kernels/planes.hpp"
#include "modules/plan/kernels/winograd.hpp"
#include "modules/plan/step.hpp"

namespace fovea::plan {

struct ConvolveParts {
  std::shared_ptr<const dnn::PreparedConv> made;
  std::size_t call;
  Place x = {}, weight = {}, bias = {}, residual = {}, y = {}, scratchpad = {};
  Chain behind = {};  // what oneDNN would not fuse, run on y; its operand 1 is the residual
};
std::unique_ptr<Step> convolve_step(ConvolveParts parts);

struct PlanesParts {
  Planes problem;
  Place x = {}, weight = {}, bias = {}, y = {}, workspace = {};
  std::optional<role::Pointwise> after = {};
};
std::unique_ptr<Step> planes_step(PlanesParts parts);

struct WinogradParts {
  Winograd problem;
  Place x = {}, weight = {}, bias = {}, residual = {}, y = {}, workspace = {};
  std::optional<role::Pointwise> after = {};
};
std::unique_ptr<Step> winograd_step(WinogradParts parts);

struct DotsParts {
  Dots problem;
  Place x = {}, weight = {}, bias = {}, residual = {}, y = {};
  std::optional<role::Pointwise> after = {};
};
std::unique_ptr<Step> dots_step(DotsParts parts);

// positions: of x and the operands, in the order of the node's inputs.
std::unique_ptr<Step> sweep_step(Chain chain, std::vector<Place> positions, Place y);
std::unique_ptr<Step> global_statistics_step(Place x, Place mean, Place maximum, Place workspace);
std::unique_ptr<Step> channel_statistics_step(Chain before, std::vector<Place> positions, Place y, bool mean_first);
std::unique_ptr<Step> line_statistics_step(LineKernel kernel, Place x, std::vector<Place> outputs, Place workspace);
std::unique_ptr<Step> window_step(const role::Pool& pool, Place x, Place y);
std::unique_ptr<Step> copy_step(std::vector<Copy::Piece> pieces, std::vector<Place> inputs, Place y);
std::unique_ptr<Step> compute_step(Compute work, std::vector<Place> inputs, std::vector<Place> outputs, Place workspace);
std::unique_ptr<Step> eager_step(std::shared_ptr<const Op> op, std::string path, std::vector<Place> inputs,
                                 std::vector<Place> outputs);

// Elements of workspace that global statistics of such a map want.
std::int64_t global_workspace(const Shape& x);

// The addresses of a chain's operands; index 0 is the value itself.
class Operands {
 public:
  Operands(Run& r, const std::vector<Place>& positions) {
    for (std::size_t i = 0; i < positions.size(); ++i) pointers_[i] = r.source(positions[i]);
  }
  const void* const* data() const { return pointers_.data(); }
  const void* operator[](std::size_t i) const { return pointers_[i]; }

 private:
  std::array<const void*, kMaxOperands> pointers_{};  // on the stack: nothing is allocated while a plan runs
};

}  // namespace fovea::plan
