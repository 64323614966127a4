// Networks between one for clean pictures and one that was fine-tuned on degraded ones.
#include "pipeline/tasks/upscale/strength.hpp"

#include <fmt/format.h>

#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using fovea::test::fails_with;

namespace {

constexpr const char* kNetwork = "fovea: 1\nmodel:\n  head: {type: a2n_light, scale: 2, width: 8, blocks: 1}\n";

Model fine_tuned_from(const std::filesystem::path& file, const std::string& network = kNetwork) {
  return Model::from_recipe(network + fmt::format("train: {{weights: {}, degrade: {{jpeg: [30, 100]}}}}\n", file.string()), 2);
}

double first_value(const Model& model) { return model.params()->entries().front().value.value().values().front(); }

}  // namespace

TEST_CASE("strength: 0 is the model that training began with, 1 the trained one, between them parameters are mixed") {
  const test::Folder folder;
  const Model clean = Model::from_recipe(kNetwork, 1);
  clean.save(folder / "clean.safetensors");
  const Model photo = fine_tuned_from(folder / "clean.safetensors");
  CHECK(with_strength(photo, 0).fingerprint() == clean.fingerprint());
  CHECK(with_strength(photo, 1).fingerprint() == photo.fingerprint());
  const Model between = with_strength(photo, 0.25);
  CHECK(between.name() == photo.name());
  CHECK(first_value(between) == Approx(0.75 * first_value(clean) + 0.25 * first_value(photo)).epsilon(1e-6));
  CHECK(first_value(photo) != first_value(between));  // the model itself stays what it was
  const Tensor x = Tensor::full({1, 3, 9, 7}, 0.4, DType::f32, Layout::channels_last);
  CHECK(between.run(x).values() != photo.run(x).values());
}

TEST_CASE("strength: what has none, and beginnings that are no such network, are refused by name") {
  const test::Folder folder;
  const Model clean = Model::from_recipe(kNetwork, 1);
  CHECK(fails_with([&] { with_strength(clean, 0.5); }, "has no strength: expected a network that was fine-tuned on degraded"));
  CHECK(fails_with([&] { with_strength(fine_tuned_from("gone.safetensors"), 0.5); }, "'gone.safetensors': no such file"));
  clean.save(folder / "clean.safetensors");
  const Model photo = fine_tuned_from(folder / "clean.safetensors");
  CHECK(fails_with([&] { with_strength(photo, 1.5); }, "strength: expected 0 to 1, got 1.5"));
  const Model wider = fine_tuned_from(folder / "clean.safetensors",
                                      "fovea: 1\nmodel:\n  head: {type: a2n_light, scale: 2, width: 16, blocks: 1}\n");
  CHECK(fails_with([&] { with_strength(wider, 0.5); }, "clean.safetensors, which is another network"));
}
