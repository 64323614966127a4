#include "modules/train/recipe_changes.hpp"

#include <algorithm>
#include <map>

#include "modules/io/yaml.hpp"

namespace fovea {
namespace {

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \n"), end = text.find_last_not_of(" \n");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

bool is_leaf(const Yaml& y) { return y.keys().empty() && y.items().empty(); }

void flatten(const Yaml& y, const std::string& path, std::map<std::string, std::string>& out) {
  for (const std::string& key : y.keys()) flatten(y.at(key), path.empty() ? key : path + "." + key, out);
  if (!y.keys().empty()) return;
  if (is_leaf(y)) {
    out[path] = trimmed(y.str());
  } else if (std::all_of(y.items().begin(), y.items().end(), is_leaf)) {
    std::string all;
    for (const Yaml& item : y.items()) all += (all.empty() ? "[" : ", ") + trimmed(item.str());
    out[path] = all + "]";
  } else {
    for (std::size_t i = 0; i < y.items().size(); ++i) flatten(y.items()[i], path + "[" + std::to_string(i) + "]", out);
  }
}

std::map<std::string, std::string> flat(const std::string& recipe) {
  std::map<std::string, std::string> out;
  flatten(Yaml::parse(recipe, "recipe"), "", out);
  return out;
}

bool one_of(const std::string& key, std::initializer_list<const char*> keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

}  // namespace

std::string RecipeChange::str() const {
  return key + (then.empty() ? " was not there" : " was " + then) + (now.empty() ? ", is gone" : ", is " + now);
}

std::vector<RecipeChange> recipe_changes(const std::string& then, const std::string& now) {
  std::vector<RecipeChange> changes;
  auto before = flat(then);
  for (const auto& [key, value] : flat(now)) {
    const auto it = before.find(key);
    const std::string was = it == before.end() ? "" : it->second;
    if (was != value) changes.push_back({key, was, value});
    before.erase(key);
  }
  for (const auto& [key, value] : before) changes.push_back({key, value, ""});
  std::sort(changes.begin(), changes.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  return changes;
}

bool changes_no_result(const std::string& key) {
  return key.starts_with("license.") ||
         one_of(key, {"train.log_every", "train.checkpoint_every", "train.loaders", "train.threads", "train.memory_mb"});
}

bool changes_the_end(const std::string& key) { return one_of(key, {"train.steps", "train.epochs", "train.patience"}); }

}  // namespace fovea
