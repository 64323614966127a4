#include "modules/plan/kernels/planes.hpp"

#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

class PlanesStep final : public Step {
 public:
  explicit PlanesStep(PlanesParts p) : p_(std::move(p)) {}

  void run(Run& r) const override {
    float* y = r.write(p_.y);
    convolve_planes(p_.problem, r.read(p_.x), r.read(p_.weight), r.read(p_.bias), y, r.write(p_.workspace));
    if (p_.after) p_.after->row(y, y, p_.y.shape.elements(), p_.after->a, p_.after->b);
  }
  std::string how() const override { return "few planes"; }

 private:
  PlanesParts p_;
};

}  // namespace

std::unique_ptr<Step> planes_step(PlanesParts parts) { return std::make_unique<PlanesStep>(std::move(parts)); }

}  // namespace fovea::plan
