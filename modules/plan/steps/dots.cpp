#include "modules/plan/kernels/dots.hpp"

#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

class DotsStep final : public Step {
 public:
  explicit DotsStep(DotsParts p) : p_(std::move(p)) {}

  void run(Run& r) const override {
    dot_products(p_.problem, {.x = r.read(p_.x),
                              .w = r.read(p_.weight),
                              .bias = r.read(p_.bias),
                              .residual = r.read(p_.residual),
                              .y = r.write(p_.y),
                              .after = p_.after});
  }
  std::string how() const override { return "scalar products"; }

 private:
  DotsParts p_;
};

}  // namespace

std::unique_ptr<Step> dots_step(DotsParts parts) { return std::make_unique<DotsStep>(std::move(parts)); }

}  // namespace fovea::plan
