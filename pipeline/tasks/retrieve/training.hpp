// Training of retrieval from pictures with captions.
#pragma once

#include "pipeline/task.hpp"

namespace fovea {

// Puts the text encoder into the recipe (key `text`), made of the training's captions or taken from the model of `weights`, and tells
// the head its size.
void complete_retrieve(Yaml& recipe, const std::filesystem::path& root);
std::vector<KeyGroup> retrieve_keys();
std::vector<TrainingFile> retrieve_files(const Yaml& recipe, const std::filesystem::path& root);
TrainJob retrieve_training(const Yaml& recipe, const Model& model, const std::filesystem::path& root, TrainOptions& options);

}  // namespace fovea
