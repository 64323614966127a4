// Plans and models that several threads use at once. Also run under the thread sanitizer (dev, preset tsan).
#include <atomic>
#include <functional>
#include <thread>

#include "modules/core/random.hpp"
#include "modules/core/threads.hpp"
#include "modules/model.hpp"
#include "modules/plan/cache.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/small_networks.hpp"

using namespace fovea;

namespace {

const char* kCbam = R"(fovea: 1
model:
  backbone: {type: resnet50, layers: [1, 1], widths: [16, 32]}
  attention: [{at: "backbone.layer*.*.pre_add", type: cbam}]
  head: {type: classify, classes: [a, b, c]}
)";
const char* kUpscaling = "fovea: 1\nmodel: {head: {type: a2n_light, scale: 2, width: 32, blocks: 2}}\n";

using Values = std::vector<double>;
using Get = std::function<Values(std::size_t i)>;

Tensor picture(std::int64_t h, std::int64_t w, std::uint64_t seed) {
  Tensor t = Tensor::empty({1, 3, h, w}, DType::f32, Layout::channels_last);
  Random(seed).fill_uniform(t, 0, 1);
  return t;
}

// Threads take turns at `kinds` results, which must be the ones that a single thread had from `want`; one lane each.
void check_from_threads(std::size_t kinds, const Get& want, const Get& get) {
  constexpr std::size_t kThreads = 3, kTurns = 6;
  std::vector<Values> wanted;
  for (std::size_t i = 0; i < kinds; ++i) wanted.push_back(want(i));
  std::atomic<std::size_t> equal{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      const ThreadScope thread_scope(1);
      for (std::size_t k = 0; k < kTurns; ++k) equal += get((t + k) % kinds) == wanted[(t + k) % kinds] ? 1 : 0;
    });
  for (std::thread& t : threads) t.join();
  CHECK(equal == kThreads * kTurns);
}

Values run(const Model& model, std::size_t i) { return model.run(picture(8 + static_cast<std::int64_t>(i) * 5, 12, i)).values(); }

}  // namespace

TEST_CASE("threads: one plan, run by several at once") {
  const Model model = Model::from_recipe(kCbam, 3);
  const plan::Plan plan = model.compile({1, 3, 33, 33}, {.threads = 1});
  const Get get = [&](std::size_t i) { return plan.run({picture(33, 33, i)}).outputs[0].values(); };
  check_from_threads(3, get, get);
}

TEST_CASE("threads: one model, which makes its plans while they run") {
  const Model model = Model::from_recipe(kUpscaling, 3), alone = Model::from_recipe(kUpscaling, 3);
  check_from_threads(
      4, [&](std::size_t i) { return run(alone, i); }, [&](std::size_t i) { return run(model, i); });
}

TEST_CASE("threads: a model that gives its weights back behind every plan") {
  const test::Folder folder;
  const std::string file = (folder / "m.safetensors").string();
  const Model alone = Model::from_recipe(kUpscaling, 3);
  alone.save(file);
  const Model model = Model::load(file);
  model.release_weights();
  check_from_threads(
      3, [&](std::size_t i) { return run(alone, i); }, [&](std::size_t i) { return run(model, i); });
}

TEST_CASE("threads: a plan that several want is made once, and not kept where its making fails") {
  const Model model = Model::from_recipe(kCbam, 3);
  plan::Cache cache;
  std::atomic<int> made{0}, failed{0};
  plan::Cache::Key key;
  key.input = {1, 3, 33, 33};
  const auto from_threads = [&](const std::function<plan::Plan()>& make) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t)
      threads.emplace_back([&] {
        try {
          cache.get(key, make);
        } catch (const Error&) { ++failed; }
      });
    for (std::thread& t : threads) t.join();
  };
  from_threads([]() -> plan::Plan { fail("refused"); });
  CHECK((failed == 3 && cache.size() == 0));
  from_threads([&] { return ++made, model.compile(key.input, {.threads = 1}); });
  CHECK((failed == 3 && made == 1 && cache.size() == 1));
}

TEST_CASE("threads: every block's passes over a map, shared out, give the bits of one thread") {
  const test::Small s{"resnet50", "layers: [1], widths: [16]", 96, 96};
  const auto alike = [](const Model& model, const Tensor& x) {
    const Tensors one = test::planned(model.compile(x.shape(), {.threads = 1}), x),
                  two = test::planned(model.compile(x.shape(), {.threads = 2}), x);
    CHECK(two[0].values() == one[0].values());
  };
  for (const std::string& block : test::blocks()) CHECK(test::check_block_in(s, "backbone.layer1.0.pre_add", block, alike));
}
