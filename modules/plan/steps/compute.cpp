#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

// An op's own kernel on the plan's memory.
class ComputeStep final : public Step {
 public:
  static constexpr std::size_t kMost = 16;

  ComputeStep(Compute work, std::vector<Place> inputs, std::vector<Place> outputs, Place workspace)
      : work_(std::move(work)), inputs_(std::move(inputs)), outputs_(std::move(outputs)), workspace_(std::move(workspace)) {
    check(inputs_.size() <= kMost && outputs_.size() <= kMost, "plan: expected at most ", kMost, " inputs of a step, got ",
          inputs_.size());
  }

  void run(Run& r) const override {
    std::array<const float*, kMost> in{};
    std::array<float*, kMost> out{};
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      if (const float* x = r.read(inputs_[i])) in[i] = x + work_.offsets[i];
    for (std::size_t i = 0; i < outputs_.size(); ++i)
      out[i] = outputs_[i].kind == Place::Kind::absent ? nullptr : r.write(outputs_[i]);
    work_.bound.run(in.data(), out.data(), r.write(workspace_));
  }
  std::string how() const override { return "own kernel"; }

 private:
  Compute work_;
  std::vector<Place> inputs_, outputs_;
  Place workspace_;
};

}  // namespace

std::unique_ptr<Step> compute_step(Compute work, std::vector<Place> inputs, std::vector<Place> outputs, Place workspace) {
  return std::make_unique<ComputeStep>(std::move(work), std::move(inputs), std::move(outputs), std::move(workspace));
}

}  // namespace fovea::plan
