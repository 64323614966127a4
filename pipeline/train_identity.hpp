// What decides the results of a training: code, recipe, and every file of its data by name, size and content. Nobody then takes the
// results of one training for those of another.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/task.hpp"

namespace fovea {

struct TrainIdentity {
  struct File {
    std::string name, label;  // relative to the data's root, where it lies below it
    std::int64_t size = 0;
    std::string content;  // fingerprint
    bool operator==(const File&) const = default;
  };
  std::string code, recipe, precision;
  std::vector<File> files;
  std::vector<std::pair<std::string, std::string>> models;  // which others it learns from, and their fingerprints

  std::string data_key() const;  // of files and models, in 16 hexadecimal digits
};

// Reads all files of the recipe's data, on the calling thread's width. Files that cannot be read count as they are: by name.
TrainIdentity identity_of(const Yaml& recipe, const std::filesystem::path& root);

// For people, one sentence each: the code; values of the recipe (but those that may change, see recipe_changes.hpp; what only moves the end may where
// `end_may_move`); which files came, went or changed. Empty: the same results.
std::vector<std::string> differences(const TrainIdentity& then, const TrainIdentity& now, bool end_may_move);

// training.json, beside the checkpoints. Nothing where there is none or it is damaged.
void write_identity(const std::filesystem::path& folder, const TrainIdentity& identity);
std::optional<TrainIdentity> read_identity(const std::filesystem::path& folder);

}  // namespace fovea
