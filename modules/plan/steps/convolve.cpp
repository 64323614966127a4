#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

class ConvolveStep final : public Step {
 public:
  explicit ConvolveStep(ConvolveParts p) : p_(std::move(p)) {}

  void run(Run& r) const override {
    dnn::PreparedConv::Pointers at{.x = r.read(p_.x), .w = r.bytes(p_.weight), .bias = r.read(p_.bias), .y = r.write(p_.y)};
    const float* residual = r.read(p_.residual);
    at.residual = residual, at.scratchpad = r.write(p_.scratchpad);
    r.call(p_.call).run(at);
    if (p_.behind.empty()) return;
    const std::array<const float*, 2> operands{nullptr, residual};
    p_.behind.run(r.write(p_.y), r.write(p_.y), operands.data());
  }
  std::string how() const override { return p_.made->implementation(); }

 private:
  ConvolveParts p_;
};

}  // namespace

std::unique_ptr<Step> convolve_step(ConvolveParts parts) { return std::make_unique<ConvolveStep>(std::move(parts)); }

}  // namespace fovea::plan
