#include "pipeline/training_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "datasets/csv.hpp"

namespace fovea {

namespace fs = std::filesystem;
namespace {

// A table of paths with their reasons.
std::string bad_table(const std::vector<BadFile>& bad) {
  std::string out = "path,reason\n";
  for (const BadFile& b : bad) out += csv_quoted(b.file.string()) + "," + csv_quoted(b.reason) + "\n";
  return out;
}

}  // namespace

std::vector<fs::path> data_paths(const Yaml& key, const fs::path& root) {
  const auto path = [&](const Yaml& item) {
    // An empty one would mean the root itself, whatever else lies there; "." says that.
    check(!item.scalar().empty(), item.where(), ": expected a path, got nothing; remove the key where there are no such data");
    return (root / item.scalar()).lexically_normal();
  };
  std::vector<fs::path> all;
  if (key.items().empty()) all.push_back(path(key));  // one alone needs no brackets
  for (const Yaml& item : key.items()) all.push_back(path(item));
  return all;
}

std::vector<std::string> names_of(const std::vector<KeyGroup>& groups) {
  std::vector<std::string> names;
  for (const KeyGroup& group : groups)
    if (group.path == "train")
      for (const auto& key : group.keys) names.push_back(key.name);
  return names;
}

void set_classes(Yaml& recipe, const std::vector<std::string>& classes, const Yaml& data) {
  std::string names;
  try {
    names = nlohmann::json(classes).dump();  // quoted as YAML has it too
  } catch (const nlohmann::json::exception&) { fail(data.where(), ": a class's name is not UTF-8"); }
  recipe.set("model.head.classes", names);
}

void count_epochs(const Yaml& train, double epochs, double each, TrainOptions& options) {
  if (!train.has("epochs")) return;
  check(epochs > 0 && epochs <= 1e6 && !train.has("steps"), train.where(), ": expected either steps or epochs > 0");
  options.steps = options.schedule.steps = std::max<std::int64_t>(1, std::llround(epochs * each));
}

std::vector<BadFile> joined(std::vector<BadFile> first, const std::vector<BadFile>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

void report_bad(const std::vector<BadFile>& bad, const std::string& part, TrainJob& job, const std::string& what) {
  if (bad.empty()) return;
  const std::string table = part + (what == "pictures" ? "" : "-" + what) + "-quarantined.csv";
  job.warnings.push_back(fmt::format("{} of the {} {} could not be used and {} left out; the reasons are in {}, the first: {}",
                                     bad.size(), part, what, bad.size() == 1 ? "is" : "are", table, bad.front().reason));
  job.files[table] = bad_table(bad);
}

}  // namespace fovea
