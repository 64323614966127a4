#include "pipeline/training_data.hpp"

#include <fmt/format.h>

#include "datasets/csv.hpp"

namespace fovea {

namespace fs = std::filesystem;

std::vector<fs::path> data_paths(const Yaml& key, const fs::path& root) {
  std::vector<fs::path> all;
  if (key.items().empty()) all.push_back((root / key.scalar()).lexically_normal());  // one alone needs no brackets
  for (const Yaml& item : key.items()) all.push_back((root / item.scalar()).lexically_normal());
  return all;
}

std::vector<std::string> names_of(const std::vector<KeyGroup>& groups) {
  std::vector<std::string> names;
  for (const KeyGroup& group : groups)
    if (group.path == "train")
      for (const auto& key : group.keys) names.push_back(key.name);
  return names;
}

std::string bad_table(const std::vector<BadFile>& bad) {
  std::string out = "path,reason\n";
  for (const BadFile& b : bad) out += csv_quoted(b.file.string()) + "," + csv_quoted(b.reason) + "\n";
  return out;
}

void report_bad(const std::vector<BadFile>& bad, const std::string& part, TrainJob& job) {
  if (bad.empty()) return;
  const std::string table = part + "-quarantined.csv";
  job.warnings.push_back(
      fmt::format("{} of the {} pictures could not be used and {} left out; the reasons are in {}, the first: {}", bad.size(),
                  part, bad.size() == 1 ? "is" : "are", table, bad.front().reason));
  job.files[table] = bad_table(bad);
}

}  // namespace fovea
