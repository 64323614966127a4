#include "modules/plan/kernels/pool2d.hpp"

#include "modules/plan/kernels/convert.hpp"
#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

class Pool2dStep final : public Step {
 public:
  Pool2dStep(const role::Pool2d& pool, BufferRef x, BufferRef y) : pool_(pool), x_(std::move(x)), y_(std::move(y)) {}

  void run(Run& r) const override {
    dispatch_map(x_.type, [&](auto from) {
      dispatch_map(y_.type, [&](auto to) {
        pool2d(pool_, x_.shape, y_.shape, static_cast<const decltype(from)*>(r.source(x_)),
               static_cast<decltype(to)*>(r.target(y_)));
      });
    });
  }
  std::string how() const override { return "pool2d"; }

 private:
  role::Pool2d pool_;
  BufferRef x_, y_;
};

}  // namespace

std::unique_ptr<Step> pool2d_step(const role::Pool2d& pool, BufferRef x, BufferRef y) {
  return std::make_unique<Pool2dStep>(pool, std::move(x), std::move(y));
}

}  // namespace fovea::plan
