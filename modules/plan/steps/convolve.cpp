#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

class ConvolveStep final : public Step {
 public:
  explicit ConvolveStep(ConvolveParts p) : p_(std::move(p)) {}

  void run(Run& r) const override {
    dnn::PreparedConv::Pointers at{.x = r.source(p_.x), .w = r.source(p_.weight), .bias = r.read(p_.bias), .y = r.target(p_.y)};
    at.residual = r.source(p_.residual), at.scratchpad = r.target(p_.scratchpad);
    r.call(p_.call).run(at);
    if (p_.after.empty()) return;
    const std::array<const void*, 2> operands{nullptr, at.residual};
    p_.after.run(at.y, at.y, operands.data());
  }
  std::string how() const override { return p_.made->implementation(); }

 private:
  ConvolveParts p_;
};

}  // namespace

std::unique_ptr<Step> convolve_step(ConvolveParts parts) { return std::make_unique<ConvolveStep>(std::move(parts)); }

}  // namespace fovea::plan
