#include "modules/plan/steps/convolution_steps.hpp"

namespace fovea::plan {
namespace {

class GemvStep final : public Step {
 public:
  GemvStep(const Gemv& problem, std::optional<role::Pointwise> after, ConvolutionBuffers b)
      : problem_(problem), after_(after), b_(std::move(b)) {}

  void run(Run& r) const override {
    gemv(problem_, {.x = r.read(b_.x),
                    .w = r.read(b_.weight),
                    .bias = r.read(b_.bias),
                    .residual = r.read(b_.residual),
                    .y = r.write(b_.y),
                    .after = after_});
  }
  std::string how() const override { return "gemv"; }

 private:
  Gemv problem_;
  std::optional<role::Pointwise> after_;
  ConvolutionBuffers b_;
};

}  // namespace

std::unique_ptr<Step> gemv_step(const Gemv& problem, std::optional<role::Pointwise> after, ConvolutionBuffers buffers) {
  return std::make_unique<GemvStep>(problem, after, std::move(buffers));
}

}  // namespace fovea::plan
