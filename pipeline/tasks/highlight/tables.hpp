// Tables of what a run found: all regions, and scores of pictures where the model gives them.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/sinks/ledger.hpp"

namespace fovea {

inline constexpr const char *kRegionsCsv = "regions.csv", *kScoresCsv = "scores.csv";

// regions.csv: a line for each region on each picture, with its sizes. scores.csv: one for each picture that has a score. Gives the files. EnvironmentError when it cannot be written.
std::vector<std::filesystem::path> write_regions(const std::filesystem::path& folder, const Ledger& ledger);
// Of how many inputs something was withheld (kWithheld).
std::size_t count_withheld(const Ledger& ledger);

// What an answer says of each class, for people. Error with the file's name.
std::vector<std::pair<std::string, std::string>> class_totals(const std::filesystem::path& answer);

}  // namespace fovea
