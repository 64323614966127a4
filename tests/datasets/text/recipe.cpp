#include "datasets/text/recipe.hpp"

#include "datasets/text/byte_pairs.hpp"
#include "datasets/text/vocabulary.hpp"
#include "modules/model.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using test::fails_with;

namespace {

constexpr const char* kRecipe =
    "fovea: 1\nmodel:\n  backbone: {type: resnet18, layers: [1], widths: [4]}\n  head: {type: classify, classes: 2}\n";

}  // namespace

TEST_CASE("text encoders: a model's file carries one and gives the same again") {
  const std::vector<std::string> texts{"1 null: a 'dog' \xF0\x9F\x90\xB6, caf\xC3\xA9 - \xE7\x8A\xAC yes", "it's 3.5 ~ # {no}"};
  const Vocabulary words = Vocabulary::of(texts, 1);
  const BytePairs pairs = BytePairs::of(texts, BytePairs::kFirstMerge + 9, 1);
  const test::Folder folder;
  for (const TextEncoder* encoder : {static_cast<const TextEncoder*>(&words), static_cast<const TextEncoder*>(&pairs)}) {
    Yaml recipe = Yaml::parse(kRecipe, "recipe");
    CHECK(text_encoder_of(recipe) == nullptr);
    set_text_encoder(recipe, *encoder);
    (void)Model::from_recipe(recipe).save(folder / "m.safetensors");
    const auto read = text_encoder_of(Model::load((folder / "m.safetensors").string()).recipe());
    REQUIRE(read != nullptr);
    CHECK(read->json() == encoder->json());
  }
}

TEST_CASE("text encoders: what is none is an error that names the key") {
  const auto with = [](const std::string& text) { return text_encoder_of(std::string(kRecipe) + "text: " + text + "\n"); };
  CHECK(fails_with([&] { with("'{\"kind\": \"runes\"}'"); }, "recipe:5: text: kind: expected 'words' or 'byte_pairs'"));
  CHECK(fails_with([&] { with("'{'"); }, "recipe:5: text: it is not JSON"));
  CHECK(fails_with([&] { with("{kind: words}"); }, "recipe:5: expected one value"));
}
