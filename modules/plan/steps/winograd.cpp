#include "modules/plan/kernels/winograd.hpp"

#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

class WinogradStep final : public Step {
 public:
  explicit WinogradStep(WinogradParts p) : p_(std::move(p)) {}

  void run(Run& r) const override {
    p_.problem.run({.x = r.read(p_.x),
                    .weights = r.read(p_.weight),
                    .bias = r.read(p_.bias),
                    .residual = r.read(p_.residual),
                    .y = r.write(p_.y),
                    .workspace = r.write(p_.workspace),
                    .after = p_.after});
  }
  std::string how() const override {
    const Winograd::Side side = p_.problem.side();
    return "winograd " + std::to_string(side.rows) + "x" + std::to_string(side.columns);
  }

 private:
  WinogradParts p_;
};

}  // namespace

std::unique_ptr<Step> winograd_step(WinogradParts parts) { return std::make_unique<WinogradStep>(std::move(parts)); }

}  // namespace fovea::plan
