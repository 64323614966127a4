#include "modules/plan/kernels/window.hpp"

#include "modules/plan/kernels/convert.hpp"
#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

class WindowStep final : public Step {
 public:
  WindowStep(const role::Pool& pool, Place x, Place y) : pool_(pool), x_(std::move(x)), y_(std::move(y)) {}

  void run(Run& r) const override {
    dispatch_map(x_.type, [&](auto from) {
      dispatch_map(y_.type, [&](auto to) {
        pool_windows(pool_, x_.shape, y_.shape, static_cast<const decltype(from)*>(r.source(x_)),
                     static_cast<decltype(to)*>(r.target(y_)));
      });
    });
  }
  std::string how() const override { return "one pass"; }

 private:
  role::Pool pool_;
  Place x_, y_;
};

}  // namespace

std::unique_ptr<Step> window_step(const role::Pool& pool, Place x, Place y) {
  return std::make_unique<WindowStep>(pool, std::move(x), std::move(y));
}

}  // namespace fovea::plan
