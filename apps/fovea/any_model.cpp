#include "apps/fovea/any_model.hpp"

#include <filesystem>

#include "modules/io/files.hpp"
#include "modules/io/yaml.hpp"

namespace fovea {

Model any_model(const std::string& name) {
  const std::filesystem::path path = name;
  if (path.extension() != ".yaml" && path.extension() != ".yml") return Model::load(name);
  const auto bytes = read_file(path);
  return Model::from_recipe(Yaml::parse({bytes.begin(), bytes.end()}, name));
}

}  // namespace fovea
