// One training from a recipe to a folder: what `fovea train` does once and `fovea study` many times, for any task.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>

#include "modules/io/yaml.hpp"
#include "modules/train/trainer.hpp"
#include "pipeline/task.hpp"

namespace fovea {

// What a training does with its folder. A fresh one refuses a folder that holds another training; `resume` goes on where that was stopped;
// `overwrite` removes what it left and begins again.
enum class Start : std::uint8_t { fresh, resume, overwrite };

struct TrainRun {
  std::filesystem::path data_root = ".", out = "run";
  Start start = Start::fresh;
  // Called with what the user should read: a line about the model and its data; warnings.
  std::function<void(const std::string&)> say = [](const std::string&) {}, warn = [](const std::string&) {};
  std::function<void(const Trainer::Progress&)> progress = [](const Trainer::Progress&) {};
};

// The recipe of a file with key=value changes.
Yaml read_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides);

// Puts into a recipe what only its data know, as its task does: the names of classes.
void complete_recipe(Yaml& recipe, const std::filesystem::path& data_root);

// The task that the recipe's training names.
const Task& task_of_training(const Yaml& recipe);

// Whether the folder holds what a training wrote.
bool is_used(const std::filesystem::path& folder);

// Returns whether the training is at its end; `stop` ends it earlier, with a checkpoint. Error where a resumed training would be another one,
// because recipe, data or code changed, naming what differs; FolderBusy while another one runs in the folder.
bool train(Yaml recipe, const TrainRun& run, const std::atomic<bool>& stop);

}  // namespace fovea
