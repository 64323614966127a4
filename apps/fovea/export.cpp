// fovea export MODEL -o FILE: the same weights in another storage type, with another recipe text or more metadata.
#include <fmt/format.h>

#include <filesystem>
#include <iostream>

#include "apps/fovea/commands.hpp"
#include "apps/fovea/kept_f32.hpp"
#include "modules/io/files.hpp"
#include "modules/io/yaml.hpp"
#include "modules/license.hpp"
#include "modules/model.hpp"
#include "pipeline/exit_codes.hpp"

namespace fovea {
namespace {

struct Settings {
  std::string model, out, storage = "f16", recipe;
  std::vector<std::string> metadata;
};

// The model rebuilt from the recipe's text; loading is strict, so a recipe of another network is refused by name.
Model with_recipe(const Model& model, const std::string& file) {
  const auto bytes = read_file(file);
  Model renamed = Model::from_recipe(Yaml::parse({bytes.begin(), bytes.end()}, file));
  renamed.params()->load(model.params()->values());
  return renamed;
}

int run_export(const Settings& s) {
  Model model = Model::load(s.model);
  std::map<std::string, std::string> metadata = read_metadata(s.metadata);
  if (!s.recipe.empty()) {
    const License license = license_of(model);
    model = with_recipe(model, s.recipe);
    metadata.merge(license_metadata(together(license_of(model), license)));
  }
  const auto kept = model.save(s.out, s.storage == "f16" ? DType::f16 : DType::f32, metadata);
  std::cout << fmt::format("{}: {} parameters in {}, {} bytes\n", s.out, model.params()->count(), s.storage,
                           std::filesystem::file_size(s.out));
  print_kept_f32(kept);
  return kExitDone;
}

}  // namespace

Command export_command() {
  auto s = std::make_shared<Settings>();
  Command c{"export", "Write a model file in another storage type, or with another recipe text"};
  c.options.word("model", s->model, "Zoo name or .safetensors file");
  c.options.require();
  c.options.word("-o,--out", s->out, "File to write");
  c.options.require();
  c.options.word("--storage", s->storage, "f16 halves the file; f32 keeps every bit", {"f16", "f32"});
  c.options.word("--recipe", s->recipe, "Store this recipe instead (its network must have the same parameters)");
  c.options.words("--metadata", s->metadata,
                  "key=value, for example license=Apache-2.0 'data_license=MIT: BCCD_Dataset'; the terms of weights and data "
                  "stay unless given");
  c.run = [s] { return run_export(*s); };
  return c;
}

}  // namespace fovea
