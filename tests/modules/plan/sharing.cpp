// What the plans of one network have in common.
#include "modules/core/random.hpp"
#include "modules/model.hpp"
#include "modules/plan/cache.hpp"
#include "modules/plan/shared.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

const char* kNetwork = R"(fovea: 1
model:
  backbone: {type: resnet50, layers: [1, 1], widths: [16, 32]}
  attention: [{at: "backbone.layer*.*.pre_add", type: cbam}]
  head: {type: classify, classes: [a, b, c]}
)";

plan::Plan planned(const Model& model, const Shape& shape, plan::Options options) {
  return plan::compile([&](const Vars& in) { return Vars{model.forward(in[0])}; }, {shape}, options);
}

}  // namespace

TEST_CASE("plan sharing: a weight is there once for all plans, and goes with the last") {
  const Model model = Model::from_recipe(kNetwork, 3);
  const auto shared = std::make_shared<plan::SharedConstants>();
  {
    const plan::Plan one = planned(model, {1, 3, 33, 41}, {.shared = shared});
    const std::size_t own = one.memory().constants, bytes = shared->bytes();
    CHECK(bytes >= own);  // views of parameters are named there, too
    const plan::Plan kept = planned(model, {1, 3, 33, 41}, {.keep = "**.spatial", .shared = shared});
    const plan::Plan lane = planned(model, {1, 3, 33, 41}, {.threads = 2, .shared = shared});
    CHECK(kept.memory().constants == own);
    CHECK(lane.memory().constants == own);
    CHECK(shared->bytes() == bytes);
    // Another shape's primitives may want some weights in another layout, though not all of them.
    const plan::Plan other = planned(model, {2, 3, 64, 64}, {.shared = shared});
    const std::size_t more = other.memory().constants;
    CHECK(shared->bytes() < bytes + more / 2);
    CHECK(planned(model, {1, 3, 33, 41}, {}).memory().constants == own);
  }
  CHECK(shared->bytes() == 0);
}

TEST_CASE("plan sharing: plans that share follow a change of the weights") {
  const Model model = Model::from_recipe(kNetwork, 3), changed = Model::from_recipe(kNetwork, 4);
  const auto shared = std::make_shared<plan::SharedConstants>();
  const plan::Plan one = planned(model, {1, 3, 33, 41}, {.shared = shared}),
                   two = planned(model, {1, 3, 33, 41}, {.shared = shared});
  const Tensor x = random_tensor({1, 3, 33, 41}, 5).to(DType::f32).contiguous(Layout::channels_last);
  const auto before = one.run({x}).outputs[0].values();
  CHECK(two.run({x}).outputs[0].values() == before);
  const std::size_t bytes = shared->bytes();
  model.params()->load(changed.params()->values());
  const auto after = one.run({x}).outputs[0].values();
  CHECK(after != before);
  CHECK(after == changed.run(x).values());
  CHECK(two.run({x}).outputs[0].values() == after);
  CHECK(shared->bytes() == bytes);
}

TEST_CASE("plan sharing: what has no name is made for its plan alone") {
  plan::SharedConstants shared;
  int made = 0;
  const auto make = [&] { return ++made, Tensor::zeros({16}); };
  const auto a = shared.get("a", make), b = shared.get("a", make);
  CHECK((a == b && made == 1));
  const auto c = shared.get("", make), d = shared.get("", make);
  CHECK((c != d && made == 3));
  CHECK(shared.bytes() == 3 * 64);
}
