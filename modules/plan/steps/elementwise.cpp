#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

class ElementwiseStep final : public Step {
 public:
  ElementwiseStep(ElementwiseKernel kernel, std::vector<BufferRef> inputs, BufferRef y)
      : kernel_(std::move(kernel)), inputs_(std::move(inputs)), y_(std::move(y)) {}

  void run(Run& r) const override {
    const Operands operands(r, inputs_);
    kernel_.run(r.target(y_), operands[0], operands.data());
  }
  std::string how() const override { return kernel_.empty() ? "convert" : "fused elementwise"; }

 private:
  ElementwiseKernel kernel_;
  std::vector<BufferRef> inputs_;
  BufferRef y_;
};

}  // namespace

std::unique_ptr<Step> elementwise_step(ElementwiseKernel kernel, std::vector<BufferRef> inputs, BufferRef y) {
  return std::make_unique<ElementwiseStep>(std::move(kernel), std::move(inputs), std::move(y));
}

}  // namespace fovea::plan
