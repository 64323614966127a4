// One training from a recipe to a folder: what `fovea train` does once and `fovea study` many times, for any task.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>

#include "modules/io/yaml.hpp"
#include "modules/train/trainer.hpp"

namespace fovea {

struct TrainRun {
  std::filesystem::path data_root = ".", out = "run";
  bool resume = false;
  // Called with what the user should read: a line about the model and its data; warnings.
  std::function<void(const std::string&)> say = [](const std::string&) {}, warn = [](const std::string&) {};
  std::function<void(const Trainer::Progress&)> progress = [](const Trainer::Progress&) {};
};

// The recipe of a file with key=value changes.
Yaml read_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides);

// Puts into a recipe what only its data know, as its task does: the names of classes.
void complete_recipe(Yaml& recipe, const std::filesystem::path& data_root);

// Returns whether the training is at its end; `stop` ends it earlier, with a checkpoint.
bool train(Yaml recipe, const TrainRun& run, const std::atomic<bool>& stop);

}  // namespace fovea
