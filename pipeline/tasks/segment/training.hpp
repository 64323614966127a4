// Training a network that labels pixels: random crops of pictures with masks; cross-entropy, soft Dice, or both; Dice on whole pictures.
#pragma once

#include "pipeline/task.hpp"

namespace fovea {

// Keys of `train:` beside every task's: data and validate (folders with images/ and masks/), crop, batch, flip, flip_vertical, loss
// (cross_entropy, dice, dice_cross_entropy).
std::vector<KeyGroup> segment_keys();
std::vector<TrainingFile> segment_files(const Yaml& recipe, const std::filesystem::path& root);
TrainJob segment_training(const Yaml& recipe, const Model& model, const std::filesystem::path& root, TrainOptions& options);

}  // namespace fovea
