#include "modules/plan/tuning.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "modules/core/dnnl.hpp"
#include "modules/core/json.hpp"
#include "modules/core/threads.hpp"
#include "modules/core/warning.hpp"

namespace fovea::plan {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kRuns = 7;
constexpr double kBudget = 0.02;  // seconds for one candidate; three runs at least
constexpr int kFewest = 3;
constexpr double kClear = 1.05;  // how much slower by its median a choice may seem than another before the measurement is unclear
constexpr int kMostUnclear = 3;  // measurements, each in a process of its own, after which an unclear choice stays

// "AMD EPYC, 26.2.1, 1024 KB; 2 processors; fovea 0.1.0; oneDNN 2.6.3"
const std::string& machine() {
  static const std::string text = [] {
    std::map<std::string, std::string> facts;
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line) && !line.empty();) {  // of the first processor
      const auto colon = line.find(": ");
      if (colon != std::string::npos) facts[line.substr(0, line.find_last_not_of(" \t:", colon) + 1)] = line.substr(colon + 2);
    }
    return facts["model name"] + ", " + facts["cpu family"] + "." + facts["model"] + "." + facts["stepping"] + ", " +
           facts["cache size"] + "; " + std::to_string(cpu_budget()) + " processors; fovea " FOVEA_VERSION "; oneDNN " +
           dnn::version();
  }();
  return text;
}

std::optional<fs::path> file() {
  const auto from = [](const char* name) -> std::optional<fs::path> {
    const char* value = std::getenv(name);
    if (!value || !*value) return std::nullopt;
    return fs::path(value);
  };
  if (const auto own = from("FOVEA_CACHE")) return *own / "tuning.json";
  if (const auto xdg = from("XDG_CACHE_HOME")) return *xdg / "fovea" / "tuning.json";
  if (const auto home = from("HOME")) return *home / ".cache" / "fovea" / "tuning.json";
  return std::nullopt;
}

struct Choice {
  std::string name;
  int unclear = 0;  // measurements that it rests on where none was clear; 0: a clear one
};
using Choices = std::map<std::string, Choice>;

// In the file a clear choice is its name, another {"choice": name, "unclear": measurements}.
nlohmann::json json_of(const Choice& c) {
  if (c.unclear == 0) return c.name;
  return {{"choice", c.name}, {"unclear", c.unclear}};
}

Choice choice_from(const JsonValue& j) {
  if (!j.has("choice")) return {j.text()};
  return {j.at("choice").text(), std::min(j.at("unclear").whole<int>(), kMostUnclear)};
}

// The content of the file, an object for each machine; empty where there is no file. A damaged one counts as absent.
nlohmann::json read_file() {
  const auto from = file();
  std::error_code ignored;
  if (!from || !fs::is_regular_file(*from, ignored)) return nlohmann::json::object();
  constexpr JsonLimits limits{.depth = 8};
  try {
    check(fs::file_size(*from, ignored) <= limits.bytes, from->string(), ": too large");
    std::ifstream in(*from, std::ios::binary);
    const JsonValue all = JsonValue::parse(std::string(std::istreambuf_iterator<char>(in), {}), from->string(), limits);
    for (const auto& [name, choices] : all.members())
      if (name == machine())
        for (const auto& [key, choice] : choices.members()) choice_from(choice);
    return all.raw();
  } catch (const Error& e) {
    warn(std::string(e.what()) + "; it counts as absent, what it should tell is measured again");
    return nlohmann::json::object();
  }
}

// Of this machine.
Choices choices_of(const nlohmann::json& all) {
  Choices choices;
  if (const auto mine = all.find(machine()); mine != all.end())
    for (const auto& [key, choice] : JsonValue(*mine, "tuning").members()) choices[key] = choice_from(choice);
  return choices;
}

// Temporary files of processes that were killed while they wrote.
void remove_abandoned(const fs::path& file) {
  const std::string head = file.filename().string() + ".";
  std::error_code error, ignored;
  for (fs::directory_iterator at(file.parent_path(), error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(head) || name.find_first_not_of("0123456789", head.size()) != std::string::npos) continue;
    const int process = std::atoi(name.c_str() + head.size());
    if (process > 0 && ::kill(process, 0) != 0 && errno == ESRCH) fs::remove(at->path(), ignored);
  }
}

// Adds the choices to those in the file, which may be of several machines where a home directory is shared. Written to a temporary file that
// is renamed, so that another process reads the old file or the new one. Of two that write at the same time the first is lost.
void write_choices(const Choices& choices) {
  const auto to = file();
  if (!to) return;
  nlohmann::json all = read_file();
  Choices merged = choices_of(all);
  for (const auto& [key, choice] : choices) merged[key] = choice;
  all[machine()] = nlohmann::json::object();
  for (const auto& [key, choice] : merged) all[machine()][key] = json_of(choice);
  std::error_code ignored;
  fs::create_directories(to->parent_path(), ignored);
  remove_abandoned(*to);
  const fs::path temporary = to->string() + "." + std::to_string(::getpid());
  {
    std::ofstream out(temporary);
    out << all.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    if (!out.flush()) return void(fs::remove(temporary, ignored));
  }
  std::error_code failed;
  fs::rename(temporary, *to, failed);
  if (failed) fs::remove(temporary, ignored);
}

struct Known {
  std::mutex mutex;
  std::optional<Choices> choices;  // none: the file was not read yet
  std::set<std::string> measured;  // by this process
};
Known& known() {
  static Known all;
  return all;
}

double seconds(const Trial& t) {
  if (t.before) t.before();
  const auto start = Clock::now();
  t.run();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The one with the shortest time. Candidates take turns, so that other load on the machine affects all of them; it is unclear where the
// medians say otherwise.
Choice measure(const std::vector<Candidate>& candidates) {
  std::vector<Trial> trials;
  for (const Candidate& c : candidates) trials.push_back(c.make());
  for (const Trial& t : trials) seconds(t);
  std::vector<std::vector<double>> times(candidates.size());
  std::vector<double> spent(candidates.size()), shortest, medians;
  for (int round = 0; round < kRuns; ++round)
    for (std::size_t i = 0; i < trials.size(); ++i) {
      if (round >= kFewest && spent[i] > kBudget) continue;
      const double t = seconds(trials[i]);
      spent[i] += t;
      times[i].push_back(t * candidates[i].handicap);
    }
  for (const auto& t : times) {
    shortest.push_back(*std::min_element(t.begin(), t.end()));
    medians.push_back(median(t));
  }
  const auto best = static_cast<std::size_t>(std::min_element(shortest.begin(), shortest.end()) - shortest.begin());
  const bool clear = medians[best] <= kClear * *std::min_element(medians.begin(), medians.end());
  return {candidates[best].name, clear ? 0 : 1};
}

// Whether the choice is among the candidates and need not be measured (again) by this process.
bool holds(const Known& all, const std::string& key, const std::vector<Candidate>& candidates) {
  const auto it = all.choices->find(key);
  if (it == all.choices->end()) return false;
  const Choice& choice = it->second;
  if (std::none_of(candidates.begin(), candidates.end(), [&](const Candidate& c) { return c.name == choice.name; })) return false;
  return choice.unclear == 0 || choice.unclear >= kMostUnclear || all.measured.count(key) > 0;
}

}  // namespace

std::string fastest(const std::string& key, const std::vector<Candidate>& candidates) {
  Known& all = known();
  std::lock_guard lock(all.mutex);  // also while measuring: two measurements at once would disturb each other
  if (!all.choices) all.choices = choices_of(read_file());
  if (holds(all, key, candidates)) return all.choices->at(key).name;
  const int before = all.choices->count(key) > 0 ? all.choices->at(key).unclear : 0;
  Choice choice = measure(candidates);
  if (choice.unclear > 0) choice.unclear += before;
  (*all.choices)[key] = choice;
  all.measured.insert(key);
  write_choices(*all.choices);
  return choice.name;
}

void forget_tuning() {
  Known& all = known();
  std::lock_guard lock(all.mutex);
  all.choices.reset();
  all.measured.clear();
}

}  // namespace fovea::plan
