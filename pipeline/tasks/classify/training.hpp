// Training a classifier: labelled pictures, cross entropy, accuracy and its kin on whole pictures.
#pragma once

#include "pipeline/task.hpp"

namespace fovea {

// Writes the names of the data's classes into the head of a recipe that names none, so that the model knows them.
void name_classes(Yaml& recipe, const std::filesystem::path& root);
std::vector<KeyGroup> classify_keys();
std::vector<TrainingFile> classify_files(const Yaml& recipe, const std::filesystem::path& root);
TrainJob classify_training(const Yaml& recipe, const Model& model, const std::filesystem::path& root, TrainOptions& options);

}  // namespace fovea
