#include "modules/model_import.hpp"

#include <algorithm>

#include "modules/core/json.hpp"
#include "modules/io/yaml.hpp"
#include "modules/license.hpp"
#include "modules/nn/catalogue.hpp"
#include "modules/nn/registry.hpp"

namespace fovea {
namespace {

constexpr const char* kClasses = "classes";

std::vector<std::string> classes_in(const TensorFile& file) {
  const auto it = file.metadata.find(kClasses);
  if (it == file.metadata.end()) return {};
  try {
    std::vector<std::string> names;
    for (const JsonValue& name : JsonValue::parse(it->second, kClasses).items()) names.push_back(name.text());
    return names.size() < 2 ? std::vector<std::string>() : names;
  } catch (const Error&) { return {}; }  // the key may mean anything to whoever wrote the file
}

// Whether a head of that type has the option `classes`.
bool names_classes(const std::string& head) {
  const auto options = describe(Registry::global().at(head), 8, 8).options;
  return std::any_of(options.begin(), options.end(), [](const auto& o) { return o.name == kClasses; });
}

// Class names are the recipe's if it has them.
std::string with_classes(const std::string& text, const std::string& name, const std::vector<std::string>& names) {
  Yaml recipe = Yaml::parse(text, name);
  if (names.empty() || !recipe.has("model") || !recipe.at("model").has("head")) return text;
  const Yaml& head = recipe.at("model").at("head");
  if (!head.has("type") || !names_classes(head.at("type").scalar())) return text;
  if (head.has(kClasses)) {
    const Yaml& given = head.at(kClasses);
    if (!given.items().empty() || given.scalar() != std::to_string(names.size())) return text;
  }
  recipe.set("model.head.classes", nlohmann::json(names).dump());
  return recipe.str();
}

std::string note_on_head(const Model& model, const ImportReport& report, std::size_t in_file) {
  if (report.fresh_head.empty() || model.classes().empty()) return "";
  const std::size_t ours = model.classes().size();
  if (in_file > 0 && in_file != ours)
    return " (the file has " + std::to_string(in_file) + " classes, the recipe " + std::to_string(ours) + ")";
  return in_file == 0 ? " (the file has none that fits: train it)" : " (of another shape than the file's: train it)";
}

// Of the classifier: rows of its last weight, whatever it is called.
std::size_t classes_of(const TensorFile& file, const std::string& backbone) {
  for (const NameMap& map : name_maps_for(backbone))
    for (const auto& [name, value] : file.tensors)
      if (value.rank() >= 1 && renamed(map.rules, name) == std::optional<std::string>("head.fc.weight"))
        return static_cast<std::size_t>(value.dim(0));
  return classes_in(file).size();
}

}  // namespace

Imported import_model(const std::string& text, const std::string& recipe_name, const TensorFile& file,
                      const std::string& file_name, const ImportOptions& options) {
  const Yaml recipe = Yaml::parse(with_classes(text, recipe_name, classes_in(file)), recipe_name);
  Imported out{Model::from_recipe(recipe), {}, {}, {}};
  const Yaml& model = recipe.at("model");
  const std::string backbone = model.has("backbone") ? model.at("backbone").at("type").scalar() : "";
  PathScope where(file_name);
  out.report = import_weights(*out.model.params(), out.model.slots(), backbone, file.tensors, options);
  out.head_note = note_on_head(out.model, out.report, classes_of(file, backbone));
  for (const auto& [key, value] : file.metadata)
    if (key != kClasses && key != "format" && key.rfind("fovea.", 0) != 0) out.metadata[key] = value;
  for (const auto& [key, value] : license_metadata(together(license_of(out.model), license_in(file.metadata))))
    out.metadata[key] = value;
  return out;
}

}  // namespace fovea
