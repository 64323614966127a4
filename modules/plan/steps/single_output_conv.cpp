#include "modules/plan/steps/convolution_steps.hpp"

namespace fovea::plan {
namespace {

class SingleOutputConvStep final : public Step {
 public:
  SingleOutputConvStep(const SingleOutputConv& problem, std::optional<role::Pointwise> after, ConvolutionBuffers b)
      : problem_(problem), after_(after), b_(std::move(b)) {}

  void run(Run& r) const override {
    float* y = r.write(b_.y);
    single_output_conv(problem_, r.read(b_.x), r.read(b_.weight), r.read(b_.bias), y, r.write(b_.workspace));
    if (after_) after_->row(y, y, b_.y.shape.elements(), after_->a, after_->b);
  }
  std::string how() const override { return "single-output conv"; }

 private:
  SingleOutputConv problem_;
  std::optional<role::Pointwise> after_;
  ConvolutionBuffers b_;
};

}  // namespace

std::unique_ptr<Step> single_output_conv_step(const SingleOutputConv& problem, std::optional<role::Pointwise> after,
                                              ConvolutionBuffers buffers) {
  return std::make_unique<SingleOutputConvStep>(problem, after, std::move(buffers));
}

}  // namespace fovea::plan
