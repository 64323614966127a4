// Models that give their weights back.
#include "modules/weights.hpp"

#include "modules/core/memory.hpp"
#include "modules/model.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

const char* kNetwork = R"(fovea: 1
model:
  backbone: {type: resnet50, layers: [1, 1], widths: [32, 64]}
  head: {type: classify, classes: [a, b, c]}
)";

Tensor picture(std::int64_t side) {
  return random_tensor({1, 3, side, side}, 5).to(DType::f32).contiguous(Layout::channels_last);
}

struct Files {
  Folder folder;
  std::string file = (folder / "m.safetensors").string();
  Files() { Model::from_recipe(kNetwork, 3).save(file); }
};

}  // namespace

TEST_CASE("weights: given back behind a plan, read again for another, with the same results") {
  const Files f;
  const Model whole = Model::load(f.file), model = Model::load(f.file);
  std::size_t bytes = 0;
  for (const auto& [name, value] : model.params()->values()) bytes += value.bytes();
  const std::string print = model.fingerprint();
  CHECK(print == whole.fingerprint());
  model.release_weights();
  const auto in_use = [] { return static_cast<double>(memory::stats().in_use); };
  const double before = in_use();
  model.run(picture(32));
  const double grown = in_use() - before;
  // The plan came, in blocks that are a quarter larger at most; the parameters went, but for a few that it reads as they are.
  const auto plan = model.compile({1, 3, 32, 32}).memory();
  CHECK(grown < 1.25 * static_cast<double>(plan.constants + plan.arena) - 0.9 * static_cast<double>(bytes));
  for (const std::int64_t side : {32, 47, 32, 33}) CHECK(model.run(picture(side)).values() == whole.run(picture(side)).values());
  CHECK(fails_with([&] { model.params()->values(); }, "this model's weights were given back"));
  CHECK(fails_with([&] { model.forward(Var(picture(32))); }, "this model's weights were given back"));
  CHECK(model.fingerprint() == print);
  CHECK(model.multiply_adds({1, 3, 32, 32}) == whole.multiply_adds({1, 3, 32, 32}));
  model.save(f.folder / "again.safetensors");
  CHECK(Model::load((f.folder / "again.safetensors").string()).fingerprint() == print);
}

TEST_CASE("weights: what a file cannot give again is not given back") {
  const Files f;
  CHECK(fails_with([] { Model::from_recipe(kNetwork).release_weights(); }, "expected a model that was loaded from a file"));
  const Model model = Model::load(f.file), other = Model::from_recipe(kNetwork, 4);
  model.params()->load(other.params()->values());
  CHECK(fails_with([&] { model.release_weights(); }, "the weights are not those of " + f.file + " any more"));
}

TEST_CASE("weights: a file that holds others by now is an error, and what is compiled goes on") {
  const Files f;
  const Model model = Model::load(f.file);
  model.release_weights();
  const auto before = model.run(picture(32)).values();
  Model::from_recipe(kNetwork, 4).save(f.file);
  CHECK(fails_with([&] { model.run(picture(40)); }, f.file + ": the file's weights are not what they were"));
  std::filesystem::remove(f.file);
  CHECK(fails_with([&] { model.run(picture(40)); }, f.file));
  CHECK(model.run(picture(32)).values() == before);
  Model::from_recipe(kNetwork, 3).save(f.file);
  CHECK(model.run(picture(40)).size() == 3);
}
