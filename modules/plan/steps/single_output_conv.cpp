#include "modules/plan/kernels/single_output_conv.hpp"

#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

class SingleOutputConvStep final : public Step {
 public:
  explicit SingleOutputConvStep(SingleOutputConvParts p) : p_(std::move(p)) {}

  void run(Run& r) const override {
    float* y = r.write(p_.y);
    single_output_conv(p_.problem, r.read(p_.x), r.read(p_.weight), r.read(p_.bias), y, r.write(p_.workspace));
    if (p_.after) p_.after->row(y, y, p_.y.shape.elements(), p_.after->a, p_.after->b);
  }
  std::string how() const override { return "single-output conv"; }

 private:
  SingleOutputConvParts p_;
};

}  // namespace

std::unique_ptr<Step> single_output_conv_step(SingleOutputConvParts parts) {
  return std::make_unique<SingleOutputConvStep>(std::move(parts));
}

}  // namespace fovea::plan
