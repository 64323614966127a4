// What a task gives to the training loop: where its batches come from, how wrong an output is, how good the model is.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "modules/io/yaml.hpp"
#include "modules/train/trainer.hpp"

namespace fovea {

struct TrainJob {
  std::unique_ptr<BatchSource> source;
  Trainer::Loss loss;
  Trainer::Validate validate;
  std::string summary;  // of the data, for the user
  std::vector<std::string> warnings = {};
  std::map<std::string, std::string> files = {};  // to be written beside the checkpoints: what was put aside, what validates
};

// Each reads its keys of `train:`; paths are relative to `root`, the teacher's file to `folder` or the current one.
TrainJob upscale_job(const Yaml& recipe, const Model& model, const std::filesystem::path& root, TrainOptions& options);
TrainJob distill_job(const Yaml& recipe, const Model& model, const std::filesystem::path& root, TrainOptions& options);
TrainJob classify_job(const Yaml& recipe, const Model& model, const std::filesystem::path& root, TrainOptions& options);

// Writes the names of the data's classes into the head of a recipe for classification that names none, so that the model knows them.
void name_classes(Yaml& recipe, const std::filesystem::path& root);
// The same for distillation: the teacher's classes.
void name_teachers_classes(Yaml& recipe, const std::filesystem::path& root);

}  // namespace fovea
