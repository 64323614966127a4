#include "tests/support/fuzz.hpp"

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "modules/core/glob.hpp"
#include "modules/core/json.hpp"
#include "modules/core/warning.hpp"
#include "modules/io/files.hpp"
#include "modules/io/name_map.hpp"
#include "modules/io/safetensors.hpp"
#include "modules/io/yaml.hpp"
#include "modules/plan/tuning.hpp"
#include "modules/preprocess.hpp"
#include "modules/train/options.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using test::fuzz;

namespace {

const std::string kRecipe =
    "fovea: 1  # the format [\nmodel:\n  backbone: {type: resnet18, features: [layer2, layer3]}\n  attention:\n"
    "    - {at: \"backbone.layer{3,4}.*.pre_add\", type: cbam, reduction: 16, start: identity}\n"
    "  head: {type: classify, classes: ['cat', \"dog\", &x other]}\npreprocess: {size: 64, mean: [0.5, 0.4, 0.3]}\n"
    "train:\n  steps: 100\n  optimizer: {type: adamw, lr: 1e-3, lr_scale: {\"head.**\": 10}}\n  schedule: {type: cosine, warmup: "
    "5}\n"
    "  freeze: [backbone.stem.**]\n";

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string file_of(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string text(8, '\0');
  std::memcpy(text.data(), &length, 8);
  return text + header + data;
}

const std::string kHeader =
    R"({"__metadata__":{"format":"pt","fovea.recipe":"fovea: 1"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("b.c":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[24,28]},"d":{"dtype":"BOOL","shape":[],"data_offsets":[28,29]}})";

}  // namespace

TEST_CASE("fuzz: safetensors", "[fuzz]") {
  const std::string data(29, '\1');
  CHECK(fuzz("safetensors", {file_of(kHeader, data), file_of("{}", "")},
             [](const std::string& text) { parse_safetensors(bytes_of(text), "model.safetensors"); }) > 0);
  // The header alone, with a length that fits: what is behind the first check is reached.
  CHECK(fuzz("safetensors header", {kHeader},
             [&](const std::string& header) { parse_safetensors(bytes_of(file_of(header, data)), "model.safetensors"); }) > 0);
}

TEST_CASE("fuzz: recipes", "[fuzz]") {
  CHECK(fuzz("recipe", {kRecipe}, [](const std::string& text) {
          const Yaml recipe = Yaml::parse(text, "recipe.yaml");
          Yaml::parse(recipe.str(), "again");
          recipe.args();
          if (recipe.has("preprocess")) read_preprocess(recipe.at("preprocess"), 3);
          if (recipe.has("train")) read_train_options(recipe.at("train"), {});
        }) > 0);
  CHECK(fuzz("name rules", {"- {from: \"**.gamma\", to: \"$1.weight\"}\n- {from: 'x.*.y', to: 'z.$1'}\n"},
             [](const std::string& text) { renamed(read_name_rules(text, "rules.yaml"), "model.layer1.0.x.a.y.gamma"); }) > 0);
}

TEST_CASE("fuzz: JSON", "[fuzz]") {
  const std::string odd = "[1, -2.5e3, \"\\u00e9\\ud83d\\ude00\", null, {\"a\": [[], {}]}]";
  CHECK(fuzz("json", {kHeader, odd, "\"text\""}, [](const std::string& text) {
          const JsonValue value = JsonValue::parse(text, "a.json", {.bytes = 1 << 20, .depth = 16, .values = 100000});
          if (!value.has("a")) return;
          for (const JsonValue& side : value.at("a").at("shape").items()) side.whole<std::uint8_t>();
        }) > 0);
}

TEST_CASE("fuzz: patterns", "[fuzz]") {
  const std::string name = "backbone.layer3.1.pre_add.cbam.spatial.conv.weight";
  CHECK(fuzz("names", {"backbone.layer{3,4}.*.pre_add.**", "**.[a-c]?nv.{weight,bias}"},
             [&](const std::string& text) { Glob(text.substr(0, 3000)).matches(name); }) > 0);
  fuzz("files", {"photos/**/*.{png,jp{e,}g}", "a\\*[!b]["}, [&](const std::string& text) {
    const Glob files(text.substr(0, 3000), Glob::Kind::files);
    files.matches("photos/2020/a.png");
    files.leads_on_from("photos/2020");
  });
}

TEST_CASE("fuzz: remembered choices of tuning", "[fuzz]") {
  const test::Folder folder;
  ::setenv("FOVEA_CACHE", folder.path().c_str(), 1);
  plan::forget_tuning();
  int told = 0;
  const auto before = on_warning([&](const std::string&) { ++told; });
  const std::vector<plan::Candidate> one{{"only", [] { return plan::Trial{{}, [] {}}; }}};
  plan::fastest("nothing", one);
  const auto bytes = read_file(folder / "tuning.json");
  fuzz("tuning.json", {std::string(bytes.begin(), bytes.end())}, [&](const std::string& text) {
    std::ofstream(folder / "tuning.json", std::ios::binary) << text;
    plan::forget_tuning();
    CHECK(plan::fastest("nothing", one) == "only");
  });
  CHECK(told > 0);
  CHECK(folder.entries() == 1);  // no temporary is left
  on_warning(before);
  ::unsetenv("FOVEA_CACHE");
  plan::forget_tuning();
}
