#include "modules/plan/nodes/pool2d.hpp"

#include "modules/plan/emit.hpp"
#include "modules/plan/kernels/convert.hpp"
#include "modules/plan/kernels/pool2d.hpp"
#include "modules/plan/lower.hpp"

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

bool Pool2d::lower(Lowerer& l, Node& n, const role::Pool2d& r) {
  l.channels_last(n);
  if (!is_map(l.shape(n, 0)) || l.constant(n, 0)) return false;
  n.work = Pool2d(r);
  return true;
}

std::unique_ptr<Step> Pool2d::emit(const Node& n, Emitter& e) const {
  return std::make_unique<Pool2dStep>(pool, e.at(n.inputs[0]), e.at(n.outputs[0]));
}

}  // namespace fovea::plan
