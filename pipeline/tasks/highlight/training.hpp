// Training a network that highlights regions: random crops of pictures with masks or objects, a sum of losses, Dice on whole pictures.
#pragma once

#include "pipeline/task.hpp"

namespace fovea {

// Keys of `train:` beside every task's: data, folds, validate, test (datasets/regions/files.hpp), crop, batch, balance, score; losses; augment.
std::vector<KeyGroup> highlight_keys();
std::vector<TrainingFile> highlight_files(const Yaml& recipe, const std::filesystem::path& root);
TrainJob highlight_training(const Yaml& recipe, const Model& model, const std::filesystem::path& root, TrainOptions& options);

}  // namespace fovea
