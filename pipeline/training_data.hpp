// What tasks share about the files that they train on.
#pragma once

#include <vector>

#include "datasets/bad_file.hpp"
#include "modules/io/yaml.hpp"
#include "pipeline/task.hpp"

namespace fovea {

// The paths that a key of a recipe names: one alone, or a list; relative to `root`. Error for an empty one.
std::vector<std::filesystem::path> data_paths(const Yaml& key, const std::filesystem::path& root);

// The names of a task's keys right below `train:`.
std::vector<std::string> names_of(const std::vector<KeyGroup>& groups);

// Makes these the classes of the recipe's head. Error, opened by where `data` stands, for a name that is not UTF-8.
void set_classes(Yaml& recipe, const std::vector<std::string>& classes, const Yaml& data);

// Where the recipe counts epochs, of `each` steps, they become steps. Error where it counts both.
void count_epochs(const Yaml& train, double epochs, double each, TrainOptions& options);

std::vector<BadFile> joined(std::vector<BadFile> first, const std::vector<BadFile>& second);

// Warns of what of `part` ("training", "validation") is left out, and puts a table of it among the job's files: "training-quarantined.csv", of
// other things than pictures "training-annotations-quarantined.csv". A reason names its file.
void report_bad(const std::vector<BadFile>& bad, const std::string& part, TrainJob& job, const std::string& what = "pictures");

}  // namespace fovea
