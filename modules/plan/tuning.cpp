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
#include <limits>
#include <map>
#include <mutex>
#include <optional>

#include "modules/core/dnnl.hpp"
#include "modules/core/json.hpp"
#include "modules/core/threads.hpp"
#include "modules/core/warning.hpp"

namespace fovea::plan {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kRuns = 7;
constexpr double kBudget = 0.02;  // seconds for one candidate; two runs at least

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

using Choices = std::map<std::string, std::string>;

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
        for (const auto& [key, choice] : choices.members()) choice.text();
    return all.raw();
  } catch (const Error& e) {
    warn(std::string(e.what()) + "; it counts as absent, what it should tell is measured again");
    return nlohmann::json::object();
  }
}

// Of this machine.
Choices choices_of(const nlohmann::json& all) {
  const auto mine = all.find(machine());
  return mine == all.end() ? Choices() : mine->get<Choices>();
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
  all[machine()] = merged;
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

// The shortest time of each. Candidates take turns, so that other load on the machine affects all of them.
std::string measure(const std::vector<Candidate>& candidates) {
  std::vector<Trial> trials;
  for (const Candidate& c : candidates) trials.push_back(c.make());
  for (const Trial& t : trials) seconds(t);
  std::vector<double> best(candidates.size(), std::numeric_limits<double>::infinity()), spent(candidates.size());
  for (int round = 0; round < kRuns; ++round)
    for (std::size_t i = 0; i < trials.size(); ++i) {
      if (round >= 2 && spent[i] > kBudget) continue;
      const double t = seconds(trials[i]);
      spent[i] += t;
      best[i] = std::min(best[i], t * candidates[i].handicap);
    }
  return candidates[static_cast<std::size_t>(std::min_element(best.begin(), best.end()) - best.begin())].name;
}

}  // namespace

std::string fastest(const std::string& key, const std::vector<Candidate>& candidates) {
  Known& all = known();
  std::lock_guard lock(all.mutex);  // also while measuring: two measurements at once would disturb each other
  if (!all.choices) all.choices = choices_of(read_file());
  if (const auto it = all.choices->find(key); it != all.choices->end())
    for (const Candidate& c : candidates)
      if (c.name == it->second) return c.name;
  const std::string& choice = (*all.choices)[key] = measure(candidates);
  write_choices(*all.choices);
  return choice;
}

void forget_tuning() {
  Known& all = known();
  std::lock_guard lock(all.mutex);
  all.choices.reset();
}

}  // namespace fovea::plan
