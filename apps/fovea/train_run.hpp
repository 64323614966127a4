// One training from a recipe to a folder: what `fovea train` does once and `fovea study` many times.
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
  // Called with what the user should read: a line about the model and its data, warnings.
  std::function<void(const std::string&)> say = [](const std::string&) {};
  std::function<void(const Trainer::Progress&)> progress = [](const Trainer::Progress&) {};
};

// The recipe of a file with key=value changes.
Yaml read_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides);

// Returns whether the training is at its end; `stop` ends it earlier, with a checkpoint.
bool train(Yaml recipe, const TrainRun& run, const std::atomic<bool>& stop);

// A bar that redraws itself on a terminal, lines elsewhere; to standard error.
void print_progress(const Trainer::Progress& p);

}  // namespace fovea
