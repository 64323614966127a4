#include "apps/fovea/list_training.hpp"

#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "pipeline/exit_codes.hpp"
#include "pipeline/task.hpp"

namespace fovea {
namespace {

using Json = nlohmann::ordered_json;

struct Section {
  std::string task;  // empty: of any
  KeyGroup group;
};

std::vector<Section> sections_of(const std::string& task) {
  std::vector<Section> all;
  if (!task.empty()) TaskRegistry::global().at(task);
  for (KeyGroup& g : train_option_keys()) all.push_back({"", std::move(g)});
  for (const Task* t : TaskRegistry::global().all())
    if (task.empty() || t->name() == task)
      for (KeyGroup& g : t->keys()) all.push_back({t->name(), std::move(g)});
  return all;
}

void print(const Section& s) {
  std::cout << fmt::format("{}{}\n", s.group.path, s.task.empty() ? ", of any task" : ", of the task " + s.task);
  for (const auto& key : s.group.keys)
    std::cout << fmt::format("  {:<18} {:<12} {}\n", key.name, key.fallback.empty() ? "-" : key.fallback, key.text);
}

Json to_json(const Section& s) {
  Json keys = Json::array();
  for (const auto& key : s.group.keys) keys.push_back({{"name", key.name}, {"default", key.fallback}, {"text", key.text}});
  return {{"path", s.group.path}, {"task", s.task}, {"keys", keys}};
}

}  // namespace

int list_training(const std::string& task, bool json) {
  Json all = Json::array();
  for (const Section& s : sections_of(task)) {
    if (json) all.push_back(to_json(s));
    else print(s);
  }
  if (json) std::cout << all.dump(2) << "\n";
  return kExitDone;
}

}  // namespace fovea
