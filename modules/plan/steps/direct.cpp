#include <array>

#include "modules/plan/steps/convolution_steps.hpp"

namespace fovea::plan {
namespace {

class DirectStep final : public Step {
 public:
  DirectStep(std::shared_ptr<const dnn::PreparedConv> conv, std::size_t call, ElementwiseKernel after, ConvolutionBuffers b)
      : conv_(std::move(conv)), call_(call), after_(std::move(after)), b_(std::move(b)) {}

  void run(Run& r) const override {
    dnn::PreparedConv::Pointers at{.x = r.source(b_.x), .w = r.source(b_.weight), .bias = r.read(b_.bias), .y = r.target(b_.y)};
    at.residual = r.source(b_.residual), at.scratchpad = r.target(b_.workspace);
    r.call(call_).run(at);
    if (after_.empty()) return;
    const std::array<const void*, 2> operands{nullptr, at.residual};
    after_.run(at.y, at.y, operands.data());
  }
  std::string how() const override { return conv_->implementation(); }

 private:
  std::shared_ptr<const dnn::PreparedConv> conv_;
  std::size_t call_;
  ElementwiseKernel after_;
  ConvolutionBuffers b_;
};

}  // namespace

std::unique_ptr<Step> direct_step(std::shared_ptr<const dnn::PreparedConv> conv, std::size_t call, ElementwiseKernel after,
                                  ConvolutionBuffers buffers) {
  return std::make_unique<DirectStep>(std::move(conv), call, std::move(after), std::move(buffers));
}

}  // namespace fovea::plan
