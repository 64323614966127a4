// A recipe and somebody else's weights become a model.
#pragma once

#include "modules/io/name_map.hpp"
#include "modules/io/safetensors.hpp"
#include "modules/model.hpp"

namespace fovea {

struct Imported {
  Model model;
  ImportReport report;
  std::map<std::string, std::string> metadata;  // the file's own, for the model: licence, source
  std::string head_note;                        // " (the file has 1000 classes, the recipe 10)", or empty
};

// `recipe` is YAML text; names open messages. A head that gives no class names, or only as many as the file has, takes those of the file's
// metadata `classes` (a JSON list). See import_weights for what is refused.
Imported import_model(const std::string& recipe, const std::string& recipe_name, const TensorFile& file,
                      const std::string& file_name, const ImportOptions& options = {});

}  // namespace fovea
