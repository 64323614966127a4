#include <fmt/core.h>

#include "modules/plan/steps/convolution_steps.hpp"

namespace fovea::plan {
namespace {

class WinogradStep final : public Step {
 public:
  WinogradStep(const Winograd& problem, std::optional<role::Pointwise> after, ConvolutionBuffers b)
      : problem_(problem), after_(after), b_(std::move(b)) {}

  void run(Run& r) const override {
    problem_.run({.x = r.read(b_.x),
                  .weights = r.read(b_.weight),
                  .bias = r.read(b_.bias),
                  .residual = r.read(b_.residual),
                  .y = r.write(b_.y),
                  .workspace = r.write(b_.workspace),
                  .after = after_});
  }
  std::string how() const override { return fmt::format("winograd {}x{}", problem_.side().rows, problem_.side().columns); }

 private:
  Winograd problem_;
  std::optional<role::Pointwise> after_;
  ConvolutionBuffers b_;
};

}  // namespace

std::unique_ptr<Step> winograd_step(const Winograd& problem, std::optional<role::Pointwise> after, ConvolutionBuffers buffers) {
  return std::make_unique<WinogradStep>(problem, after, std::move(buffers));
}

}  // namespace fovea::plan
