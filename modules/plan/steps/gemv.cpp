#include "modules/plan/kernels/gemv.hpp"

#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

class GemvStep final : public Step {
 public:
  explicit GemvStep(GemvParts p) : p_(std::move(p)) {}

  void run(Run& r) const override {
    gemv(p_.problem, {.x = r.read(p_.x),
                      .w = r.read(p_.weight),
                      .bias = r.read(p_.bias),
                      .residual = r.read(p_.residual),
                      .y = r.write(p_.y),
                      .after = p_.after});
  }
  std::string how() const override { return "gemv"; }

 private:
  GemvParts p_;
};

}  // namespace

std::unique_ptr<Step> gemv_step(GemvParts parts) { return std::make_unique<GemvStep>(std::move(parts)); }

}  // namespace fovea::plan
