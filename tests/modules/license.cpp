// Terms of models: what recipes and files say, what is inherited, what a policy refuses, and texts that are no licence at all.
#include "modules/license.hpp"

#include <set>

#include "modules/io/safetensors.hpp"
#include "modules/io/yaml.hpp"
#include "modules/model.hpp"
#include "modules/model_import.hpp"
#include "modules/nn/losses.hpp"
#include "modules/train/recipe_changes.hpp"
#include "modules/train/trainer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/fuzz.hpp"

using namespace fovea;
using fovea::test::fails_with;
namespace fs = std::filesystem;

namespace {

const std::string kNetwork = "model:\n  head: {type: a2n_light, scale: 2, width: 8, blocks: 1}\n";
const License kOpen{"Apache-2.0", "MIT: BCCD_Dataset"}, kResearch{"Apache-2.0", "research only: Flickr8k (Hodosh et al. 2013)"};

std::string recipe(const std::string& license) { return "fovea: 1\n" + license + kNetwork; }
std::string recipe(const License& l) { return recipe("license: {weights: \"" + l.weights + "\", data: \"" + l.data + "\"}\n"); }

Model saved(const fs::path& file, const std::string& text, const std::map<std::string, std::string>& metadata = {}) {
  Model::from_recipe(text).save(file, DType::f32, metadata);
  return Model::load(file.string());
}

struct Constant final : BatchSource {
  Batch batch(std::int64_t) const override {
    return {{{"image", Tensor::full({1, 3, 6, 6}, 0.5)}}, {{"image", Tensor::full({1, 3, 12, 12}, 0.25)}}};
  }
};

// The terms of what is trained for a step from a recipe with these, beginning with those weights.
License trained(const fs::path& out, const std::string& license, const std::string& weights, const License* teacher = nullptr) {
  const Yaml y = Yaml::parse(
      recipe(license) + "train: {steps: 1, threads: 1" + (weights.empty() ? "" : ", weights: " + weights) + "}\n", "r");
  Trainer trainer(Model::from_recipe(y.str()), read_train_options(y.at("train"), {}), out);
  if (teacher) trainer.learns_from(*teacher);
  const auto loss = [](const Model& m, const Batch& b) { return mse_loss(m.forward(Var(b.input())), Var(b.target())); };
  const std::atomic<bool> stop{false};
  trainer.run(
      Constant(), loss, [](const Model&) { return Validation{}; }, [](const Trainer::Progress&) {}, stop);
  return license_of(Model::load((out / "best.safetensors").string()));
}

struct Rules {
  explicit Rules(LicenseRules rules) { set_license_rules(std::move(rules)); }
  ~Rules() { set_license_rules({}); }
};

}  // namespace

TEST_CASE("license: a recipe's terms are in the saved file under keys of their own, and come back") {
  const test::Folder folder;
  const Model model = saved(folder / "m.safetensors", recipe(kResearch));
  CHECK(license_of(model) == kResearch);
  const auto metadata = read_safetensors(folder / "m.safetensors").metadata;
  CHECK(metadata.at("license") == kResearch.weights);
  CHECK(metadata.at("data_license") == kResearch.data);
  // through another save, and by the file's word against the recipe's
  model.save(folder / "half.safetensors", DType::f16);
  CHECK(license_of(Model::load((folder / "half.safetensors").string())) == kResearch);
  CHECK(license_of(saved(folder / "own.safetensors", recipe(kResearch), license_metadata(kOpen))) == kOpen);
  CHECK(license_of(saved(folder / "none.safetensors", recipe(""))) == License{});
  CHECK(read_safetensors(folder / "none.safetensors").metadata.count("license") == 0);
}

TEST_CASE("license: a recipe that says it in another way fails, with its line") {
  const auto refused = [](const std::string& license, const std::string& message) {
    INFO(license);
    return fails_with([&] { Model::from_recipe(recipe(license)); }, message);
  };
  CHECK(refused("license: MIT\n", "recipe:2: license: expected {weights: TERMS, data: TERMS}"));
  CHECK(refused("license: {weigths: MIT}\n", "did you mean 'weights'?"));
  CHECK(refused("license: {weights: [MIT, ISC]}\n", "recipe:2: expected one value, got a sequence"));
  CHECK(refused("license: {weights: \"MIT\\x1b[2J\"}\n", "expected one line of text without control characters"));
  CHECK(refused("license: {weights: \"a\\nb\"}\n", "expected one line of text without control characters"));
  CHECK(refused("license: {data: " + std::string(3000, 'x') + "}\n", "expected at most 2000 bytes, got 3000"));
}

TEST_CASE("license: who trains from other weights keeps their terms, and what nobody says stays unknown") {
  const test::Folder folder;
  const std::string research = (folder / "research.safetensors").string(), silent = (folder / "silent.safetensors").string();
  saved(research, recipe(kResearch));
  saved(silent, recipe(""));
  const std::string open = "license: {weights: Apache-2.0, data: \"MIT: BCCD_Dataset\"}\n";
  CHECK(trained(folder / "a", open, "") == kOpen);
  CHECK(trained(folder / "b", open, research) == License{"Apache-2.0", kOpen.data + "; " + kResearch.data});
  CHECK(trained(folder / "c", "", research) == License{"unknown; Apache-2.0", "unknown; " + kResearch.data});
  CHECK(trained(folder / "d", open, silent) == License{"Apache-2.0; unknown", kOpen.data + "; unknown"});
  CHECK(trained(folder / "e", "", "") == License{});
  CHECK(trained(folder / "f", open, "", &kResearch) == License{"Apache-2.0", kOpen.data + "; " + kResearch.data});
  // terms that are there twice are said once, and they are no other training
  CHECK(trained(folder / "g", open, (folder / "b/best.safetensors").string()).data == kOpen.data + "; " + kResearch.data);
  for (const RecipeChange& change : recipe_changes(recipe(kOpen), recipe(kResearch))) CHECK(changes_no_result(change.key));
}

TEST_CASE("license: imported weights have the terms of their file and of the recipe, and none where neither says any") {
  const auto imported = [](const std::string& text, const std::map<std::string, std::string>& metadata) {
    TensorFile file{Model::from_recipe(recipe("")).params()->values(), metadata};
    return license_in(import_model(text, "r.yaml", file, "f.safetensors").metadata);
  };
  CHECK(imported(recipe(""), {{"format", "pt"}}) == License{});
  CHECK(imported(recipe(""), {{"license", "cc-by-nc-4.0"}}) == License{"cc-by-nc-4.0", ""});
  CHECK(imported(recipe(kOpen), {{"format", "pt"}}) == kOpen);
  CHECK(imported(recipe(kOpen), {{"license", "cc-by-nc-4.0"}}).weights == "Apache-2.0; cc-by-nc-4.0");
}

TEST_CASE("license: policies") {
  const auto allowed = [](const License& l, LicensePolicy p) { return refusal(l, p).empty(); };
  using P = LicensePolicy;
  for (const License& l :
       {License{}, License{"MIT", ""}, kResearch, License{"MIT", "MIT; unknown"}, License{"CC-BY-NC-4.0", "MIT"},
        License{"MIT", "CC-BY-4.0; no commercial use"}, License{"MIT", "Academic use"}}) {
    INFO(l.weights << " | " << l.data);
    CHECK(allowed(l, P::any));
    CHECK(!allowed(l, P::no_research));
    CHECK(!allowed(l, P::open));
  }
  for (const License& l : {kOpen, License{"apache-2.0 (ours)", "CC-BY-4.0: a; public domain, by age"}}) {
    CHECK(allowed(l, P::no_research));
    CHECK(allowed(l, P::open));
  }
  for (const License& l : {License{"Proprietary: of Example Ltd", "MIT"}, License{"MIT", "MITRE's terms"}}) {
    CHECK(allowed(l, P::no_research));
    CHECK(!allowed(l, P::open));
  }
  for (const char* name : {"any", "no-research", "open"}) parse_license_policy(name);
  CHECK(fails_with([] { parse_license_policy("free"); }, "expected any, no-research or open, got 'free'"));
}

TEST_CASE("license: a model that the policy refuses does not load; one that it allows is heard of") {
  const test::Folder folder;
  saved(folder / "research.safetensors", recipe(kResearch));
  saved(folder / "open.safetensors", recipe(kOpen));
  std::vector<std::string> heard;
  const Rules rules(
      {LicensePolicy::no_research, [&](const std::string& model, const License& l) { heard.push_back(model + l.data); }});
  CHECK_THROWS_AS(Model::load((folder / "research.safetensors").string()), LicenseRefused);
  CHECK(fails_with([&] { Model::load((folder / "research.safetensors").string()); },
                   "research: the licence policy refuses it: the data that it was trained on are under 'research only: Flickr8k "
                   "(Hodosh et al. 2013)', which is not for every use. Take another model"));
  CHECK(heard.empty());
  Model::load((folder / "open.safetensors").string());
  CHECK(heard == std::vector<std::string>{"openMIT: BCCD_Dataset"});
  Model::from_recipe(recipe(""));  // no file: nobody else's weights
  CHECK(heard.size() == 1);
}

TEST_CASE("license: a text of a megabyte counts as unknown, whatever it says") {
  const test::Folder folder;
  const std::string endless(std::size_t{1} << 20, 'x');
  const Model model = saved(folder / "m.safetensors", recipe(""), {{"license", "MIT"}, {"data_license", "MIT: " + endless}});
  CHECK(license_of(model) == License{"MIT", "unknown: a text of 1048581 bytes"});
  CHECK(!refusal(license_of(model), LicensePolicy::no_research).empty());
}

TEST_CASE("license: every shipped model says its terms") {
  const std::set<std::string> open{"cells", "chest", "nuclei"};  // the others learned from pictures that are for research only
  for (const std::string& name : Model::zoo()) {
    INFO(name);
    const License license = license_of(Model::load(name));
    CHECK(refusal({license.weights, "MIT"}, LicensePolicy::open).empty());
    CHECK(!license.data.empty());
    CHECK(refusal(license, LicensePolicy::open).empty() == (open.count(name) == 1));
  }
}

TEST_CASE("fuzz: terms of models", "[fuzz]") {
  test::fuzz("license", {kResearch.data, "Apache-2.0; MIT: a (b); unknown"}, [](const std::string& text) {
    const License license = license_in({{"license", text}, {"data_license", "MIT"}}), both = together(license, kOpen);
    // What a policy refuses is refused in whatever it becomes a part of.
    for (const LicensePolicy policy : {LicensePolicy::no_research, LicensePolicy::open})
      if (!refusal(license, policy).empty()) REQUIRE(!refusal(derived(kOpen, license), policy).empty());
    REQUIRE(together(both, license) == both);
  });
}
