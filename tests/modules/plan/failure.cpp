// Plans that run out of memory: whichever allocation fails, it is an error and leaves nothing behind.
#include "modules/autograd/apply.hpp"
#include "modules/core/memory.hpp"
#include "modules/model.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

// Some of the last block's ops run by their own forward, so that steps allocate, too.
const char* kNetwork = R"(fovea: 1
model:
  backbone: {type: resnet, layers: [1], widths: [8], stem: cifar}
  attention:
  - {at: "backbone.layer1.0.pre_add", type: cbam}
  - {at: "backbone.layer1.after_stage", type: adaptive_sparse}
  head: {type: classify, classes: [a, b, c]}
)";
const Shape kInput{1, 3, 9, 9};

Tensor picture() { return random_tensor(kInput, 5).to(DType::f32).contiguous(Layout::channels_last); }

struct Failing {
  explicit Failing(std::uint64_t request) { memory::fail_at(request); }
  ~Failing() { memory::fail_at(0); }
};

// f() with the first, second, ... allocation refused, until there are fewer. Between two: what is in use, and `after`.
template <class F, class After>
int refuse_each(const F& f, const After& after) {
  for (int k = 1;; ++k) {
    INFO("allocation " << k);
    const std::size_t before = memory::stats().in_use;
    std::string message;
    {
      const Failing failing(static_cast<std::uint64_t>(k));
      message = message_of(f);
    }
    if (message.empty()) return k - 1;
    CHECK(message.find("memory: the system refused") != std::string::npos);
    CHECK(memory::stats().in_use == before);
    after();
  }
}

}  // namespace

TEST_CASE("plan failure: a compile or a run that is refused memory leaves nothing, and the next one works") {
  const Model model = Model::from_recipe(kNetwork, 3);
  const Tensor x = picture();
  const auto once = [&] { return model.compile(kInput).run({x}).outputs[0].values(); };
  const auto want = once();
  int checked = 0;
  const int refused = refuse_each(once, [&] {
    if (++checked % 8 == 0) CHECK(once() == want);
  });
  CHECK(refused > 20);
}

TEST_CASE("plan failure: a plan whose run was refused memory runs again") {
  const Model model = Model::from_recipe(kNetwork, 3);
  const Tensor x = picture();
  const plan::Plan plan = model.compile(kInput);
  const auto want = plan.run({x}).outputs[0].values();
  const int refused = refuse_each([&] { plan.run({x}); }, [&] { CHECK(plan.run({x}).outputs[0].values() == want); });
  CHECK(refused > 0);
  CHECK_FALSE(plan.lowered());
}

TEST_CASE("plan failure: a change of the weights is followed also when making their copies was refused memory") {
  const Model model = Model::from_recipe(kNetwork, 3), other = Model::from_recipe(kNetwork, 4);
  const Tensor x = picture();
  const plan::Plan plan = model.compile(kInput);
  plan.run({x});
  model.params()->load(other.params()->values());
  std::vector<double> got;
  const int refused = refuse_each([&] { got = plan.run({x}).outputs[0].values(); }, [] {});
  CHECK(refused > 0);
  CHECK(got == other.run(x).values());
}

TEST_CASE("plan failure: a model that gives its weights back stays whole when reading them again is refused memory") {
  const Folder folder;
  const std::string file = (folder / "m.safetensors").string();
  Model::from_recipe(kNetwork, 3).save(file);
  const Model model = Model::load(file);
  const Tensor x = picture();
  const auto want = Model::from_recipe(kNetwork, 3).run(x).values();
  model.release_weights();
  CHECK(model.run(x).values() == want);
  const std::size_t before = memory::stats().in_use;
  const int refused = refuse_each([&] { model.compile({1, 3, 12, 9}); }, [] {});
  CHECK(refused > 20);
  CHECK(memory::stats().in_use == before);
  CHECK(model.run(x).values() == want);
}
