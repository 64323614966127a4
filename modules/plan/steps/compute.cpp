#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

// A kernel of an op, bound to the shapes and strides of its operands.
class ComputeStep final : public Step {
 public:
  static constexpr std::size_t kMaxOperands = 16;

  ComputeStep(Compute work, std::string name, std::vector<BufferRef> inputs, std::vector<BufferRef> outputs, BufferRef workspace)
      : work_(std::move(work)),
        name_(std::move(name)),
        inputs_(std::move(inputs)),
        outputs_(std::move(outputs)),
        workspace_(std::move(workspace)) {
    check(inputs_.size() <= kMaxOperands && outputs_.size() <= kMaxOperands, "plan: expected at most ", kMaxOperands,
          " inputs of a step, got ", inputs_.size());
  }

  void run(Run& r) const override {
    std::array<const float*, kMaxOperands> in{};
    std::array<float*, kMaxOperands> out{};
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      if (const float* x = r.read(inputs_[i])) in[i] = x + work_.offsets[i];
    for (std::size_t i = 0; i < outputs_.size(); ++i)
      out[i] = outputs_[i].kind == BufferRef::Kind::absent ? nullptr : r.write(outputs_[i]);
    work_.bound.run(in.data(), out.data(), r.write(workspace_));
  }
  std::string how() const override { return name_; }

 private:
  Compute work_;
  std::string name_;  // of the op
  std::vector<BufferRef> inputs_, outputs_;
  BufferRef workspace_;
};

}  // namespace

std::unique_ptr<Step> compute_step(Compute work, std::string name, std::vector<BufferRef> inputs, std::vector<BufferRef> outputs,
                                   BufferRef workspace) {
  return std::make_unique<ComputeStep>(std::move(work), std::move(name), std::move(inputs), std::move(outputs),
                                       std::move(workspace));
}

}  // namespace fovea::plan
